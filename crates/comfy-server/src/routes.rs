//! The routes: one list, from which the router and the OpenAPI document are made.

mod blocking;
mod convert;
mod docs;
mod embeddings;
mod extensions;
mod free;
mod history;
mod internal;
mod interrupt;
mod jobs;
mod model_library;
mod models;
mod object_info;
mod page;
mod prompt;
mod queue;
mod root;
mod sent_file;
mod settings;
mod subgraphs;
mod system;
mod templates;
mod upload;
mod userdata;
mod users;
mod view;
mod view_metadata;

use axum::Router;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use tower_http::services::ServeDir;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::error::ApiError;
use crate::state::AppState;
use crate::{loaders, middleware, openapi, reply, ws};

/// Every documented route. In each group the reading method stands first, since `Allow` lists them in this order.
fn documented() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(openapi::head())
        .routes(routes!(root::get_root))
        .routes(routes!(page::get_page_file))
        .routes(routes!(embeddings::get_embeddings))
        .routes(routes!(extensions::get_extensions))
        .routes(routes!(extensions::get_translations))
        .routes(routes!(extensions::get_workflow_templates))
        .routes(routes!(subgraphs::get_global_subgraphs))
        .routes(routes!(subgraphs::get_global_subgraph))
        .routes(routes!(subgraphs::get_node_replacements))
        .routes(routes!(upload::upload_image))
        .routes(routes!(upload::mask::upload_mask))
        .routes(routes!(view::view_image))
        .routes(routes!(view_metadata::view_metadata))
        .routes(routes!(prompt::get_prompt, prompt::post_prompt))
        .routes(routes!(object_info::get_object_info))
        .routes(routes!(object_info::get_object_info_of_class))
        .routes(routes!(docs::get_docs))
        .routes(routes!(docs::get_docs_of_class))
        .routes(routes!(history::get_history, history::post_history))
        .routes(routes!(history::get_history_of_prompt))
        .routes(routes!(queue::get_queue, queue::post_queue))
        .routes(routes!(interrupt::post_interrupt))
        .routes(routes!(jobs::get_jobs))
        .routes(routes!(jobs::cancel_jobs))
        .routes(routes!(jobs::get_job))
        .routes(routes!(jobs::cancel_job))
        .routes(routes!(free::free))
        .routes(routes!(models::get_models))
        .routes(routes!(models::get_models_of_folder))
        .routes(routes!(model_library::get_model_kinds))
        .routes(routes!(model_library::get_model_files))
        .routes(routes!(model_library::get_model_preview))
        .routes(routes!(system::get_system_stats))
        .routes(routes!(system::get_features))
        .routes(routes!(users::get_users, users::post_users))
        .routes(routes!(settings::get_settings, settings::post_settings))
        .routes(routes!(settings::get_setting, settings::post_setting))
        .routes(routes!(userdata::get_userdata))
        .routes(routes!(userdata::get_userdata_entries))
        .routes(routes!(
            userdata::get_userdata_file,
            userdata::post_userdata_file,
            userdata::delete_userdata_file
        ))
        .routes(routes!(userdata::move_userdata_file))
        .routes(routes!(blocking::get_last_prompt, blocking::run_prompt))
        .routes(routes!(blocking::get_outputs))
        .routes(routes!(convert::convert_workflow))
        .routes(routes!(ws::websocket))
}

/// Routes without a twin below `/api`.
fn internal_routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(internal::get_logs))
        .routes(routes!(internal::get_raw_logs))
        .routes(routes!(internal::subscribe_logs))
        .routes(routes!(internal::get_folder_paths))
        .routes(routes!(internal::get_files))
}

/// The router with everything around it, as the server serves it.
pub fn router(state: AppState) -> Router {
    let (routes, _) = documented().split_for_parts();
    let (internal, _) = internal_routes().split_for_parts();
    // The browser front end calls everything with the prefix, scripts without.
    let twice = Router::new()
        .merge(routes.clone())
        .nest("/api", routes)
        .merge(internal)
        .route("/api/", get(root::get_root))
        .route(loaders::ADDRESS, get(extensions::get_loaders_script));
    let front_end = state.front_end();
    let twice = match front_end {
        Some(front_end) if !front_end.templates.is_empty() => {
            twice.route("/templates/{*path}", get(templates::get_template))
        }
        _ => twice,
    };
    let twice = twice.method_not_allowed_fallback(method_not_allowed);
    let complete = match front_end {
        Some(front_end) => twice.fallback_service(ServeDir::new(&front_end.root)),
        None => twice.fallback(not_found),
    };
    let (config, is_local) = (state.config().clone(), state.is_local());
    middleware::wrap(complete.with_state(state), &config, is_local)
}

/// The document of all routes.
pub(crate) fn document() -> OpenApi {
    documented().merge(internal_routes()).into_openapi()
}

async fn not_found() -> Response {
    reply::empty(StatusCode::NOT_FOUND)
}

async fn method_not_allowed() -> Response {
    reply::text(StatusCode::METHOD_NOT_ALLOWED, "405: Method Not Allowed")
}

/// Runs work that would hold up other requests on a thread of its own.
pub(crate) async fn on_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| ApiError::Internal(format!("a task of the server broke off: {error}")))
}
