//! `GET /view`.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// The query of `GET /view`. Unknown parameters are ignored; clients add some to get round caches.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ViewQuery {
    /// Name of the file. The endings ` [input]`, ` [output]` and ` [temp]` choose the directory and win over `type`.
    #[param(required = true, nullable = false)]
    pub filename: Option<String>,
    /// The directory the file is in; `output` when absent.
    #[param(inline, nullable = false, value_type = Option<DirectoryKind>)]
    pub r#type: Option<String>,
    /// A folder below that directory.
    #[param(nullable = false)]
    pub subfolder: Option<String>,
    /// Which channels to send; `rgba`, the file as it is, when absent.
    #[param(inline, nullable = false, value_type = Option<Channel>)]
    pub channel: Option<String>,
    /// Send the picture in this format, with this quality in percent.
    #[param(
        nullable = false,
        pattern = r"^(?<format>webp|jpeg);(?<quality>\d{1,2})$"
    )]
    pub preview: Option<String>,
}

/// A directory that clients may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DirectoryKind {
    /// Saved results.
    Output,
    /// Uploaded files.
    Input,
    /// Previews; deleted when the server starts and ends.
    Temp,
}

/// Channels of a picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// The file as it is.
    #[default]
    Rgba,
    /// The colours, as an opaque PNG.
    Rgb,
    /// The alpha channel, as a black PNG with that alpha.
    A,
}
