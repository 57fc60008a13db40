//! The HTTP and websocket server: router, state, storage and the command line.
