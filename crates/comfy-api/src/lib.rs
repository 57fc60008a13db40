//! Wire types of ComfyUI's HTTP and websocket API, and nothing else.
