//! The last lines of the log, for the front end's log panel.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::OnceLock;

use chrono::Local;
use comfy_api::events::LogEntry;
use parking_lot::Mutex;
use tokio::sync::broadcast;
use tracing_subscriber::fmt::MakeWriter;

/// Lines that are kept.
const KEPT: usize = 300;
/// Lines that may wait for a slow reader before it misses some.
const WAITING: usize = 256;

/// The last lines of the log. A process has one log, so it has one book.
#[derive(Debug)]
pub(crate) struct LogBook {
    lines: Mutex<VecDeque<LogEntry>>,
    news: broadcast::Sender<LogEntry>,
}

impl LogBook {
    /// The book of this process. It stays empty unless [`super::start`] began the log.
    pub(crate) fn shared() -> &'static Self {
        static BOOK: OnceLock<LogBook> = OnceLock::new();
        BOOK.get_or_init(|| Self {
            lines: Mutex::default(),
            news: broadcast::Sender::new(WAITING),
        })
    }

    /// The lines so far, the oldest first.
    pub(crate) fn lines(&self) -> Vec<LogEntry> {
        self.lines.lock().iter().cloned().collect()
    }

    /// Lines from now on.
    pub(crate) fn follow(&self) -> broadcast::Receiver<LogEntry> {
        self.news.subscribe()
    }

    fn add(&self, text: &[u8]) {
        let entry = LogEntry {
            t: Local::now().format("%Y-%m-%dT%H:%M:%S%.6f").to_string(),
            m: String::from_utf8_lossy(text).into_owned(),
        };
        let mut lines = self.lines.lock();
        if lines.len() == KEPT {
            lines.pop_front();
        }
        lines.push_back(entry.clone());
        drop(lines);
        // Nobody may be listening.
        let _ = self.news.send(entry);
    }
}

/// Hands new lines to `send` for ever, those that came together in one piece.
pub(crate) async fn pass_on(send: impl Fn(Vec<LogEntry>)) {
    let mut news = LogBook::shared().follow();
    loop {
        let mut lines = match news.recv().await {
            Ok(line) => vec![line],
            Err(broadcast::error::RecvError::Lagged(_)) => continue,
            Err(broadcast::error::RecvError::Closed) => return,
        };
        while let Ok(line) = news.try_recv() {
            lines.push(line);
        }
        send(lines);
    }
}

/// Writes to the terminal and into the book.
#[derive(Debug)]
pub(super) struct Copying<M>(pub(super) M);

impl<'a, M: MakeWriter<'a>> MakeWriter<'a> for Copying<M> {
    type Writer = Copier<M::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        Copier(self.0.make_writer())
    }
}

/// A writer of one line of the log.
#[derive(Debug)]
pub(super) struct Copier<W>(W);

impl<W: Write> Write for Copier<W> {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.write_all(text).map(|()| text.len())
    }

    fn write_all(&mut self, text: &[u8]) -> io::Result<()> {
        LogBook::shared().add(text);
        self.0.write_all(text)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_book_keeps_the_last_lines_and_tells_of_new_ones() {
        let book = LogBook {
            lines: Mutex::default(),
            news: broadcast::Sender::new(4),
        };
        let mut news = book.follow();
        for number in 0..KEPT + 2 {
            book.add(format!("line {number}\n").as_bytes());
        }
        let lines = book.lines();
        assert_eq!(lines.len(), KEPT);
        assert_eq!(lines[0].m, "line 2\n");
        assert!(matches!(
            news.try_recv(),
            Err(broadcast::error::TryRecvError::Lagged(_))
        ));
        assert!(news.try_recv().is_ok());
    }
}
