//! Fragments become settings that are trusted after start.
