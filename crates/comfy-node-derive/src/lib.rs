//! The derive macros with which a node declares its inputs and outputs.
