//! What is wrong with a device? Pure rules, one file each.
