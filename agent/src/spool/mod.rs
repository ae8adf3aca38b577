//! What has not been acknowledged yet, bounded, on disk.
