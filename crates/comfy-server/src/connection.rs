//! Connections: accepting them, speaking HTTP on them, and letting them end.

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{Sleep, sleep};

/// Connections that may be open at a time; further ones wait to be accepted.
pub(crate) const CONNECTION_LIMIT: usize = 2048;
/// Headers a request may have.
const HEADER_COUNT: usize = 128;
/// Bytes a request's headers may have, and bytes of an answer that wait for the network.
const BUFFER_SIZE: usize = 256 << 10;
/// How long a connection may wait for a request's headers, between two requests too.
const HEADER_TIME: Duration = Duration::from_secs(75);
/// How long a client may take nothing of an answer before it is given up.
const WRITE_STALL: Duration = Duration::from_mins(1);

/// Accepts connections for ever. Each holds a permit of `open` while it lives, and ends after the request at hand once `ending`
/// is true.
pub(crate) async fn accept(
    listener: TcpListener,
    router: Router,
    ending: watch::Receiver<bool>,
    open: Arc<Semaphore>,
) {
    loop {
        let Ok(permit) = Arc::clone(&open).acquire_owned().await else {
            return;
        };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Mostly: too many open files. Waiting lets some of them close.
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (router, ending) = (router.clone(), ending.clone());
        tokio::spawn(async move {
            if let Err(error) = live(serve(stream, router), ending).await {
                tracing::debug!(%error, "a connection ended early");
            }
            drop(permit);
        });
    }
}

async fn live(connection: Connection, mut ending: watch::Receiver<bool>) -> hyper::Result<()> {
    let mut connection = pin!(connection);
    tokio::select! {
        result = connection.as_mut() => return result,
        // A dropped sender means the end as well.
        _ = ending.wait_for(|ending| *ending) => {}
    }
    connection.as_mut().graceful_shutdown();
    connection.await
}

type Service = TowerToHyperService<Router>;
type Connection = http1::UpgradeableConnection<TokioIo<Patient>, Service>;

fn serve(stream: TcpStream, router: Router) -> Connection {
    // Events are small and must not wait for company.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "packets of a connection may be delayed");
    }
    let socket = socket2::SockRef::from(&stream);
    // A client that vanished without a word is noticed some time.
    if let Err(error) = socket.set_keepalive(true) {
        tracing::debug!(%error, "a vanished client may go unnoticed");
    }
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        .max_headers(HEADER_COUNT)
        .max_buf_size(BUFFER_SIZE)
        .serve_connection(
            TokioIo::new(Patient {
                stream,
                stall: None,
            }),
            TowerToHyperService::new(router),
        )
        .with_upgrades()
}

/// A stream that fails when the other side takes nothing for [`WRITE_STALL`].
pub(crate) struct Patient {
    stream: TcpStream,
    stall: Option<Pin<Box<Sleep>>>,
}

impl Patient {
    fn judge<T>(
        &mut self,
        context: &mut Context<'_>,
        progress: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if progress.is_ready() {
            self.stall = None;
            return progress;
        }
        let stall = self
            .stall
            .get_or_insert_with(|| Box::pin(sleep(WRITE_STALL)));
        match stall.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "the client stopped reading",
            ))),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for Patient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Patient {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let progress = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.judge(context, progress)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let progress = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.judge(context, progress)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let progress = Pin::new(&mut self.stream).poll_flush(context);
        self.judge(context, progress)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let progress = Pin::new(&mut self.stream).poll_shutdown(context);
        self.judge(context, progress)
    }
}
