//! `POST /upload/image` and `POST /upload/mask`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The parts of the multipart form.
#[derive(Debug, ToSchema)]
pub struct UploadForm {
    /// The file; its file name is the name that is asked for.
    #[schema(value_type = String, format = Binary)]
    pub image: Vec<u8>,
    /// `true` or `1`: replace a file of the same name instead of choosing another name.
    #[schema(nullable = false)]
    pub overwrite: Option<String>,
    /// The directory: `input` (the default), `output` or `temp`.
    #[schema(nullable = false)]
    pub r#type: Option<String>,
    /// A folder below that directory; it is made when missing.
    #[schema(nullable = false)]
    pub subfolder: Option<String>,
}

/// The parts of the multipart form with a mask.
#[derive(Debug, ToSchema)]
pub struct MaskForm {
    /// A picture of the same size, whose opacity is the mask; its file name is the name that is asked for.
    #[schema(value_type = String, format = Binary)]
    pub image: Vec<u8>,
    /// Which picture the mask is for: an [`OriginalPicture`] as JSON.
    pub original_ref: String,
    /// `true` or `1`: replace a file of the same name instead of choosing another name.
    #[schema(nullable = false)]
    pub overwrite: Option<String>,
    /// The directory: `input` (the default), `output` or `temp`.
    #[schema(nullable = false)]
    pub r#type: Option<String>,
    /// A folder below that directory; it is made when missing.
    #[schema(nullable = false)]
    pub subfolder: Option<String>,
}

/// A picture on the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OriginalPicture {
    /// Its name.
    pub filename: String,
    /// The directory: `input`, `output` (the default) or `temp`.
    #[schema(nullable = false)]
    pub r#type: Option<String>,
    /// A folder below that directory.
    #[schema(nullable = false)]
    pub subfolder: Option<String>,
}

/// Where the file was stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UploadAnswer {
    /// The name to use in a workflow. It differs from the name that was sent when a file with another content had that name.
    pub name: String,
    /// The folder as it was sent.
    pub subfolder: String,
    /// The directory: `input`, `output` or `temp`.
    pub r#type: String,
}
