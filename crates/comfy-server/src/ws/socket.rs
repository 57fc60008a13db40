//! One websocket connection, from the handshake to the end.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use comfy_api::events::{Executing, StatusEvent, TextEvent};
use comfy_api::queue::QueueStatus;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use serde_json::Value as Json;
use utoipa::IntoParams;
use uuid::Uuid;

use super::hub::Connection;
use crate::reply;
use crate::state::AppState;

/// The largest message a client may send. Clients only ever send their feature flags.
const INCOMING_LIMIT: usize = 4 << 20;

/// The query of `GET /ws`.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ConnectQuery {
    /// The id the client had before, or chose; a new one is made without it. It is the `client_id` of the prompts whose progress this connection gets.
    #[serde(rename = "clientId")]
    #[param(nullable = false)]
    client_id: Option<String>,
}

/// Watch prompts run.
///
/// Text messages are JSON objects `{"type", "data"}`; the schema `TextEvent` lists them. Binary messages are preview pictures.
/// The first message is `status` with the client's id as `sid`.
#[utoipa::path(
    get, path = "/ws", operation_id = "get_websocket", tag = "ws",
    params(ConnectQuery),
    responses(
        (status = 101, description = "The connection is a websocket now.", body = TextEvent),
        (status = 400, description = "The request was no websocket handshake.", body = String, content_type = "text/plain"),
    ),
)]
pub(crate) async fn websocket(
    State(state): State<AppState>,
    query: Result<Query<ConnectQuery>, QueryRejection>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let client_id = query
        .ok()
        .and_then(|Query(query)| query.client_id)
        .filter(|id| !id.is_empty());
    match upgrade {
        Ok(upgrade) => upgrade
            .max_message_size(INCOMING_LIMIT)
            .max_frame_size(INCOMING_LIMIT)
            .on_upgrade(move |socket| serve(state, client_id, socket)),
        Err(rejection) => {
            let upgrade = headers
                .get(header::UPGRADE)
                .and_then(|value| value.to_str().ok())
                .unwrap_or("none");
            tracing::debug!(%rejection, "a websocket handshake failed");
            reply::text(
                StatusCode::BAD_REQUEST,
                format!("expected a websocket handshake, got the Upgrade header: {upgrade}"),
            )
        }
    }
}

async fn serve(state: AppState, client_id: Option<String>, socket: WebSocket) {
    let sid = client_id.unwrap_or_else(|| Uuid::new_v4().simple().to_string());
    let _open = state.hub().opened();
    let connection = state.hub().connection();
    // The greeting waits in the outbox before anything else can reach it.
    let status = QueueStatus::new(state.engine().queue_remaining());
    connection.send(&TextEvent::Status(StatusEvent {
        status,
        sid: Some(sid.clone()),
    }));
    state.hub().register(&sid, Arc::clone(&connection));
    resume(&state, &sid, &connection);
    tracing::debug!(client = sid, "a websocket was opened");

    let (sink, stream) = socket.split();
    tokio::select! {
        () = write(sink, &connection) => {}
        () = read(stream, &state, &connection) => {}
        () = connection.outbox.until_abandoned() => {}
    }
    state.hub().unregister(&sid, &connection);
    tracing::debug!(client = sid, "a websocket was closed");
}

/// Tells a client that comes back which node of its prompt is running.
fn resume(state: &AppState, sid: &str, connection: &Connection) {
    let Some(running) = state.engine().running() else {
        return;
    };
    if running.client_id.as_deref() != Some(sid) {
        return;
    }
    if let Some(node) = running.node {
        connection.send(&TextEvent::Executing(Executing::resumed(node)));
    }
}

async fn write(mut sink: SplitSink<WebSocket, Message>, connection: &Connection) {
    while let Some(message) = connection.outbox.next().await {
        // All that waits goes out together.
        let mut next = Some(message);
        while let Some(message) = next {
            if sink.feed(message).await.is_err() {
                return;
            }
            next = connection.outbox.next_waiting();
        }
        if sink.flush().await.is_err() {
            return;
        }
    }
    let farewell = CloseFrame {
        code: close_code::AWAY,
        reason: "the server is shutting down".into(),
    };
    // The client may be gone already.
    let _ = sink.send(Message::Close(Some(farewell))).await;
}

async fn read(mut stream: SplitStream<WebSocket>, state: &AppState, connection: &Connection) {
    let mut is_first = true;
    while let Some(Ok(message)) = stream.next().await {
        let Message::Text(text) = message else {
            continue;
        };
        // Only the first text of a connection can negotiate.
        if std::mem::take(&mut is_first) {
            negotiate(&text, state, connection);
        }
    }
}

/// Takes note of the client's features and answers with ours.
fn negotiate(text: &str, state: &AppState, connection: &Connection) {
    let Ok(message) = serde_json::from_str::<Json>(text) else {
        return;
    };
    if message.get("type").and_then(Json::as_str) != Some("feature_flags") {
        return;
    }
    let flag = message
        .get("data")
        .and_then(|data| data.get("supports_preview_metadata"));
    connection.set_wants_metadata(flag.is_some_and(crate::body::is_truthy));
    connection.send(&TextEvent::FeatureFlags(state.features()));
}
