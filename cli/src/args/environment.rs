//! What is read from the environment besides the values of flags.

use std::path::PathBuf;

use super::database::DatabaseUrl;
use super::task_pods::PROXY_VARIABLES;
use crate::remote::token::TokenText;

/// What the process was started with besides its arguments.
#[derive(Debug)]
pub(crate) struct Environment {
    home: Option<PathBuf>,
    xdg_data_home: Option<PathBuf>,
    /// Folder of the active virtual environment.
    pub(crate) virtual_env: Option<PathBuf>,
    /// Whether NO_COLOR is set and not empty.
    pub(crate) no_color: bool,
    /// Whether the terminal cannot move its cursor.
    pub(crate) dumb_terminal: bool,
    /// File in which keys of the store are, unless variables hold them. It may come later.
    pub(crate) store_profile: Option<PathBuf>,
    /// Token that a server is shown.
    pub(crate) token: Option<TokenText>,
    /// Token that the server is shown from which things are imported.
    pub(crate) import_token: Option<TokenText>,
    /// URL of the database, unless a flag says otherwise. It may hold a password: nobody but its owner sees a variable.
    pub(crate) database_url: Option<DatabaseUrl>,
    /// Variables of an HTTP proxy, in a fixed order.
    pub(crate) proxy: Vec<(String, String)>,
}

impl Environment {
    /// Reads it.
    pub(crate) fn read() -> Self {
        let text = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let path = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        Self {
            home: path("HOME"),
            xdg_data_home: path("XDG_DATA_HOME").filter(|folder| folder.is_absolute()),
            virtual_env: path("VIRTUAL_ENV"),
            no_color: path("NO_COLOR").is_some(),
            dumb_terminal: std::env::var_os("TERM").is_some_and(|term| term == "dumb"),
            store_profile: path("AWS_SHARED_CREDENTIALS_FILE").filter(|_| path("AWS_ACCESS_KEY_ID").is_none()),
            token: text("PENSTOCK_TOKEN").map(TokenText),
            import_token: text("PENSTOCK_FROM_TOKEN").map(TokenText),
            database_url: text("PENSTOCK_DATABASE_URL").map(DatabaseUrl::new),
            proxy: PROXY_VARIABLES.iter().filter_map(|name| Some(((*name).to_owned(), text(name)?))).collect(),
        }
    }

    /// Where data goes unless a flag says otherwise.
    pub(crate) fn default_data_dir(&self) -> Option<PathBuf> {
        let parent = self.xdg_data_home.clone().or_else(|| Some(self.home.as_ref()?.join(".local/share")))?;
        Some(parent.join("penstock"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_goes_to_the_users_data_directory() {
        let mut environment = Environment {
            home: Some("/home/me".into()),
            xdg_data_home: None,
            virtual_env: None,
            no_color: false,
            dumb_terminal: false,
            store_profile: None,
            token: None,
            import_token: None,
            database_url: None,
            proxy: Vec::new(),
        };
        assert_eq!(environment.default_data_dir(), Some("/home/me/.local/share/penstock".into()));
        environment.xdg_data_home = Some("/data".into());
        assert_eq!(environment.default_data_dir(), Some("/data/penstock".into()));
    }
}
