//! The compiled output of every example, and the generated files, compared with what is committed.
