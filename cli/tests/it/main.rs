//! `muster` as its users meet it: exit code, standard output and standard error of the program itself.

mod program;
mod refused;
mod wrong_use;
