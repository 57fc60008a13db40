//! The size of the terminal, by which the front end's log panel breaks lines.

use comfy_api::events::TerminalSize;

/// What is said when there is no terminal.
pub(crate) const USUAL: TerminalSize = TerminalSize { cols: 80, rows: 24 };

/// The size of the terminal this process writes to, if it does.
pub(crate) fn size() -> Option<TerminalSize> {
    let (width, height) = terminal_size::terminal_size()?;
    Some(TerminalSize {
        cols: width.0,
        rows: height.0,
    })
}
