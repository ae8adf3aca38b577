//! Every observation's road: identify, merge, flag, commit.
