//! `meshc` as a process: arguments, output, exit codes.
