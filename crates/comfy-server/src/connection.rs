//! Connections: accepting them, speaking HTTP on them, and letting them end.

mod clients;

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
use tokio::time::{Sleep, sleep, timeout};
use tokio_rustls::TlsAcceptor;

pub(crate) use clients::Clients;

/// Headers a request may have.
const HEADER_COUNT: usize = 128;
/// Bytes a request's headers may have, and bytes of an answer that wait for the network.
const BUFFER_SIZE: usize = 256 << 10;
/// How long a connection may wait for a request's headers, between two requests too.
const HEADER_TIME: Duration = Duration::from_secs(75);
/// How long agreeing on encryption may take.
const HANDSHAKE_TIME: Duration = Duration::from_secs(20);

/// What all connections share.
#[derive(Clone)]
pub(crate) struct Reception {
    pub(crate) router: Router,
    /// Encrypts the connections.
    pub(crate) tls: Option<TlsAcceptor>,
    /// Connections end after the request at hand once this is true.
    pub(crate) ending: watch::Receiver<bool>,
    /// Each connection holds a permit while it lives; when none is left, further ones wait to be accepted.
    pub(crate) open: Arc<Semaphore>,
    pub(crate) clients: Clients,
    /// How long a client may take nothing of an answer before it is given up.
    pub(crate) patience: Duration,
}

/// Accepts connections for ever.
pub(crate) async fn accept(listener: TcpListener, reception: Reception) {
    loop {
        let Ok(permit) = Arc::clone(&reception.open).acquire_owned().await else {
            return;
        };
        let (stream, address) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Mostly: too many open files. Waiting lets some of them close.
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let Some(admission) = reception.clients.admit(address.ip()) else {
            tracing::warn!(client = %address.ip(), "a client with too many connections was refused another");
            continue;
        };
        let reception = reception.clone();
        tokio::spawn(async move {
            if let Err(error) = reception.receive(stream).await {
                tracing::debug!(%error, "a connection ended early");
            }
            drop((permit, admission));
        });
    }
}

/// Why a connection ended early.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("the client did not agree on encryption in time")]
    Handshake,
    #[error(transparent)]
    Stream(#[from] io::Error),
    #[error(transparent)]
    Http(#[from] hyper::Error),
}

impl Reception {
    async fn receive(self, stream: TcpStream) -> Result<(), Ended> {
        // Events are small and must not wait for company.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "packets of a connection may be delayed");
        }
        // A client that vanished without a word is noticed some time.
        if let Err(error) = socket2::SockRef::from(&stream).set_keepalive(true) {
            tracing::debug!(%error, "a vanished client may go unnoticed");
        }
        // Bytes on the network count, not those that encryption still holds.
        let stream = Patient {
            stream,
            patience: self.patience,
            stall: None,
        };
        match self.tls {
            None => live(serve(stream, self.router), self.ending).await?,
            Some(tls) => {
                let stream = timeout(HANDSHAKE_TIME, tls.accept(stream)).await;
                let stream = stream.map_err(|_| Ended::Handshake)??;
                live(serve(stream, self.router), self.ending).await?;
            }
        }
        Ok(())
    }
}

async fn live<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    connection: Connection<S>,
    mut ending: watch::Receiver<bool>,
) -> hyper::Result<()> {
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
type Connection<S> = http1::UpgradeableConnection<TokioIo<S>, Service>;

fn serve<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    router: Router,
) -> Connection<S> {
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        .max_headers(HEADER_COUNT)
        .max_buf_size(BUFFER_SIZE)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .with_upgrades()
}

/// A stream that fails when the other side takes nothing for some time.
struct Patient {
    stream: TcpStream,
    patience: Duration,
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
        let patience = self.patience;
        let stall = self.stall.get_or_insert_with(|| Box::pin(sleep(patience)));
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
