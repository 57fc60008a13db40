//! A user's settings: one JSON object, which the front end writes member by member.

use serde_json::{Map, Value as Json};

use super::{User, UserError, Users, read_json};
use crate::whole_file;

const SETTINGS_FILE: &str = "comfy.settings.json";

impl Users {
    /// Reads the settings of a user, lets `change` change them, and writes them.
    pub(crate) fn change_settings(
        &self,
        user: &User,
        change: impl FnOnce(&mut Map<String, Json>),
    ) -> Result<(), UserError> {
        let _one_at_a_time = self.changing.lock();
        let mut settings = user.settings()?;
        change(&mut settings);
        let path = user.root.join(SETTINGS_FILE);
        let mut text = Vec::new();
        let indented = serde_json::ser::PrettyFormatter::with_indent(b"    ");
        let mut writer = serde_json::Serializer::with_formatter(&mut text, indented);
        serde::Serialize::serialize(&settings, &mut writer)
            .map_err(std::io::Error::from)
            .and_then(|()| whole_file::write(&path, &text, true))
            .map_err(|source| UserError::Storage { path, source })
    }
}

impl User {
    /// All settings.
    pub(crate) fn settings(&self) -> Result<Map<String, Json>, UserError> {
        let path = self.root.join(SETTINGS_FILE);
        read_json(&path).map_err(|source| UserError::Storage { path, source })
    }
}
