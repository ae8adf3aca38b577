//! Columns and bitmaps in memory: every list and count.
