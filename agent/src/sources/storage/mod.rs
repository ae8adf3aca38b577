//! What keeps data: disks, for now.

pub(super) mod disk;
