//! `/internal/…`: what the front end's own panels ask for.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Body of `PATCH /internal/logs/subscribe`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogSubscription {
    /// Id of the websocket client.
    #[serde(rename = "clientId")]
    pub client_id: String,
    /// Whether it wants the log from now on.
    pub enabled: bool,
}
