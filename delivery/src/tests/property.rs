//! Whatever happens on the way, a proxy ends with the newest world and never holds another.
