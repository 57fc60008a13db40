//! The OpenAPI document: what is not said at a single route.

mod everywhere;

use comfy_api::document::FileNameHeader;
use utoipa::openapi::{
    ComponentsBuilder, InfoBuilder, OpenApi, OpenApiBuilder, ServerBuilder, tag::TagBuilder,
};

/// The document of all routes.
pub fn openapi() -> OpenApi {
    everywhere::complete(crate::routes::document())
}

/// Title, servers and tags.
pub(crate) fn head() -> OpenApi {
    let info = InfoBuilder::new()
        .title("comfyui")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "ComfyUI's HTTP interface as comfy-server serves it. Every path exists twice: as it stands here and with the prefix `/api`. \
             Unknown query parameters are ignored.",
        ))
        .build();
    let server = |url: &str, description: &str| {
        ServerBuilder::new()
            .url(url)
            .description(Some(description))
            .build()
    };
    let tag = |name: &str, description: &str| {
        TagBuilder::new()
            .name(name)
            .description(Some(description))
            .build()
    };
    OpenApiBuilder::new()
        .info(info)
        .servers(Some([
            server("http://localhost:8188", "localhost"),
            server(
                "http://localhost:8188/api",
                "the same under the prefix of the browser front end",
            ),
        ]))
        .tags(Some([
            tag("ui", "What the browser front end and most clients use."),
            tag("api", "Running a prompt with one request."),
            tag("ws", "Watching prompts run."),
        ]))
        // References from headers are not followed by the macros.
        .components(Some(
            ComponentsBuilder::new()
                .schema_from::<FileNameHeader>()
                .build(),
        ))
        .build()
}
