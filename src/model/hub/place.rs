//! Where the Hub and its cache are, who asks, and how long is waited: from the environment, as
//! Python's `huggingface_hub` reads it.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use super::error::HubError;

/// The Hub itself.
const ENDPOINT: &str = "https://huggingface.co";
/// A connection that is silent so long is given up.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where the Hub and its cache are, who asks, and how long is waited.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// `https://huggingface.co`, without a slash at its end.
    pub(super) endpoint: String,
    /// The folder that holds a folder for each repository.
    pub(super) cache: PathBuf,
    pub(super) token: Option<Token>,
    pub(super) is_offline: bool,
    /// A connection that is silent so long is given up.
    pub(super) patience: Duration,
}

/// Who asks. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Token(pub(super) String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Place {
    /// What the environment says.
    ///
    /// # Errors
    ///
    /// If the endpoint or the token can't be used, or nobody knows where the cache is.
    pub(super) fn from_env(is_offline: bool) -> Result<Self, HubError> {
        Self::from_variables(is_offline, &|name| env::var_os(name))
    }

    fn from_variables(
        is_offline: bool,
        variable: &dyn Fn(&str) -> Option<OsString>,
    ) -> Result<Self, HubError> {
        let given = |name: &str| variable(name).filter(|value| !value.is_empty());
        let text = |name: &str| given(name).and_then(|value| value.into_string().ok());
        let home = || {
            given("HOME")
                .or_else(|| given("USERPROFILE"))
                .map(PathBuf::from)
        };
        let folder = |name: &str| {
            let path = PathBuf::from(given(name)?);
            match (path.strip_prefix("~"), home()) {
                (Ok(below), Some(home)) => Some(home.join(below)),
                _ => Some(path),
            }
        };
        let hf_home = folder("HF_HOME").or_else(|| {
            let caches = folder("XDG_CACHE_HOME").or_else(|| Some(home()?.join(".cache")));
            Some(caches?.join("huggingface"))
        });
        let cache = folder("HF_HUB_CACHE").or_else(|| Some(hf_home.as_ref()?.join("hub")));
        let token_file = folder("HF_TOKEN_PATH").or_else(|| Some(hf_home?.join("token")));
        let token = match text("HF_TOKEN") {
            Some(token) => Some((token, "HF_TOKEN".to_owned())),
            None => token_file.and_then(|path| {
                let token = fs::read_to_string(&path).ok()?;
                Some((token, path.display().to_string()))
            }),
        };
        let is_true = |value: String| matches!(&*value.to_lowercase(), "1" | "true" | "yes" | "on");
        let secs = text("HF_HUB_DOWNLOAD_TIMEOUT").and_then(|value| value.trim().parse().ok());
        Ok(Self {
            endpoint: endpoint(text("HF_ENDPOINT"))?,
            cache: cache.ok_or(HubError::NoCache)?,
            token: token.map_or(Ok(None), |(token, from)| checked(&token, from))?,
            is_offline: is_offline || text("HF_HUB_OFFLINE").is_some_and(is_true),
            patience: secs
                .and_then(|secs: f64| Duration::try_from_secs_f64(secs).ok())
                .filter(|patience| !patience.is_zero())
                .unwrap_or(PATIENCE),
        })
    }

    /// The Hub's host, for messages.
    pub(super) fn host(&self) -> &str {
        self.endpoint
            .split_once("://")
            .map_or(&*self.endpoint, |(_, host)| host)
    }
}

fn endpoint(given: Option<String>) -> Result<String, HubError> {
    let endpoint = given.unwrap_or_else(|| ENDPOINT.to_owned());
    let endpoint = endpoint.trim().trim_end_matches('/');
    let host = endpoint
        .strip_prefix("https://")
        .or_else(|| endpoint.strip_prefix("http://"));
    match host {
        Some(host) if !host.is_empty() && endpoint.parse::<ureq::http::Uri>().is_ok() => {
            Ok(endpoint.to_owned())
        }
        _ => Err(HubError::BadEndpoint(endpoint.to_owned())),
    }
}

/// A token that can travel in a header; none where the file is empty.
fn checked(token: &str, from: String) -> Result<Option<Token>, HubError> {
    let token = token.trim();
    if token.is_empty() {
        return Ok(None);
    }
    if token.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(Some(Token(token.to_owned())))
    } else {
        Err(HubError::BadToken { from })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(variables: &[(&str, &str)]) -> Result<Place, HubError> {
        Place::from_variables(false, &|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| OsString::from(value))
        })
    }

    #[test]
    fn the_cache_is_where_python_has_it() {
        let cache = |variables: &[(&str, &str)]| place(variables).unwrap().cache;
        let home = ("HOME", "/home/ada");
        let xdg = ("XDG_CACHE_HOME", "/fast");
        let hf_home = ("HF_HOME", "/hf");
        let hub_cache = ("HF_HUB_CACHE", "/big/hub");

        assert_eq!(
            cache(&[home]),
            PathBuf::from("/home/ada/.cache/huggingface/hub")
        );
        assert_eq!(cache(&[home, xdg]), PathBuf::from("/fast/huggingface/hub"));
        assert_eq!(cache(&[home, xdg, hf_home]), PathBuf::from("/hf/hub"));
        assert_eq!(
            cache(&[home, xdg, hf_home, hub_cache]),
            PathBuf::from("/big/hub")
        );
        assert_eq!(
            cache(&[home, ("HF_HOME", "~/hf")]),
            PathBuf::from("/home/ada/hf/hub")
        );
        assert!(matches!(place(&[]), Err(HubError::NoCache)));
    }

    #[test]
    fn the_token_is_the_variables_before_the_files_and_is_never_printed() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let (named, home) = (
            file("named", "hf_named\n"),
            folder.path().display().to_string(),
        );
        file("token", " hf_home \n");
        let token = |variables: &[(&str, &str)]| place(variables).unwrap().token.unwrap().0;

        let hf_home = ("HF_HOME", &*home);
        let path = ("HF_TOKEN_PATH", &*named);
        assert_eq!(token(&[hf_home]), "hf_home");
        assert_eq!(token(&[hf_home, path]), "hf_named");
        assert_eq!(token(&[hf_home, path, ("HF_TOKEN", "hf_own")]), "hf_own");
        let whole = place(&[hf_home, ("HF_TOKEN", "hf_own")]).unwrap();
        assert!(!format!("{whole:?}").contains("hf_own"));
        let bad = place(&[hf_home, ("HF_TOKEN", "hf_\nsecret")]).unwrap_err();
        assert!(!bad.to_string().contains("secret"), "{bad}");
        assert!(bad.to_string().contains("HF_TOKEN"), "{bad}");
    }

    #[test]
    fn offline_is_what_says_yes_and_nothing_else() {
        let is_offline = |value: &str| {
            place(&[("HOME", "/h"), ("HF_HUB_OFFLINE", value)])
                .unwrap()
                .is_offline
        };

        assert_eq!(["1", "TRUE", "yes", "On"].map(is_offline), [true; 4]);
        assert_eq!(["", "0", "false", "no"].map(is_offline), [false; 4]);
    }

    #[test]
    fn an_endpoint_is_a_web_address() {
        let endpoint = |value: &str| place(&[("HOME", "/h"), ("HF_ENDPOINT", value)]);

        assert_eq!(
            endpoint("https://hf.example/mirror/").unwrap().endpoint,
            "https://hf.example/mirror"
        );
        assert_eq!(endpoint("").unwrap().endpoint, ENDPOINT);
        for value in ["hf.example", "ftp://hf.example", "https://", "https://a b"] {
            let error = endpoint(value).unwrap_err().to_string();
            assert!(error.contains("HF_ENDPOINT"), "{error}");
        }
    }
}
