//! The shared files of AWS tools, `~/.aws/config` and `~/.aws/credentials`, for one profile.
//!
//! Supported: keys, session token, region, endpoints (also the S3 endpoint of a `services` section).
//! Not supported: single sign-on, assumed roles and credential processes; a profile that has only
//! these is refused.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::error::Error;

/// Name of the profile that is used when none is named.
const DEFAULT: &str = "default";

/// The values of one profile, each with the file it came from.
#[derive(Debug, Default)]
pub(crate) struct Profile {
    pub(crate) name: String,
    config: Section,
    credentials: Section,
    services: Section,
    config_file: String,
    credentials_file: String,
}

/// Keys and values; a key of an indented block is `outer.inner`.
type Section = BTreeMap<String, String>;

impl Profile {
    /// Reads the profile named by `AWS_PROFILE`, or the default one, which may be absent.
    pub(crate) fn read(variables: &BTreeMap<String, String>) -> Result<Self, Error> {
        let named = variables.get("AWS_PROFILE").filter(|name| !name.is_empty());
        let name = named.map_or(DEFAULT, String::as_str);
        let config_path = path(variables, "AWS_CONFIG_FILE", ".aws/config");
        let credentials_path = path(variables, "AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials");
        let mut config = sections(config_path.as_deref())?;
        let mut credentials = sections(credentials_path.as_deref())?;

        let in_config = config
            .remove(&format!("profile {name}"))
            .or_else(|| config.remove(DEFAULT).filter(|_| name == DEFAULT));
        let in_credentials = credentials.remove(name);
        let config_file = shown(config_path.as_deref());
        let credentials_file = shown(credentials_path.as_deref());
        if named.is_some() && in_config.is_none() && in_credentials.is_none() {
            return Err(Error::ProfileMissing {
                profile: name.to_owned(),
                config: config_file,
                credentials: credentials_file,
            });
        }
        let in_config = in_config.unwrap_or_default();
        let services = in_config
            .get("services")
            .and_then(|services| config.remove(&format!("services {services}")))
            .unwrap_or_default();
        Ok(Self {
            name: name.to_owned(),
            config: in_config,
            credentials: in_credentials.unwrap_or_default(),
            services,
            config_file,
            credentials_file,
        })
    }

    /// A value with its origin; that of the credentials file comes first.
    pub(crate) fn get(&self, key: &str) -> Option<(String, String)> {
        let from = |section: &Section, file: &str| {
            let value = section.get(key).filter(|value| !value.is_empty())?;
            Some((value.clone(), format!("{file} [{}] {key}", self.name)))
        };
        from(&self.credentials, &self.credentials_file)
            .or_else(|| from(&self.config, &self.config_file))
    }

    /// The endpoint for S3 of the profile's services, or its endpoint for everything.
    pub(crate) fn endpoint(&self) -> Option<(String, String)> {
        let s3 = self.services.get("s3.endpoint_url").map(|url| {
            let services = self.config.get("services").map_or("", String::as_str);
            (url.clone(), format!("{} [services {services}] s3.endpoint_url", self.config_file))
        });
        s3.or_else(|| self.get("endpoint_url"))
    }

    /// A source of credentials that the profile names and that is not supported here.
    pub(crate) fn unsupported(&self) -> Option<&'static str> {
        let sources = [
            "credential_process",
            "role_arn",
            "sso_session",
            "sso_start_url",
            "source_profile",
            "login_session",
        ];
        sources.into_iter().find(|source| self.get(source).is_some())
    }
}

fn path(variables: &BTreeMap<String, String>, variable: &str, below_home: &str) -> Option<PathBuf> {
    let home = variables.get("HOME").filter(|home| !home.is_empty()).map(Path::new);
    match variables.get(variable).filter(|path| !path.is_empty()) {
        Some(path) => match (path.strip_prefix("~/"), home) {
            (Some(rest), Some(home)) => Some(home.join(rest)),
            _ => Some(PathBuf::from(path)),
        },
        None => home.map(|home| home.join(below_home)),
    }
}

fn shown(path: Option<&Path>) -> String {
    path.map_or_else(|| "(no HOME)".to_owned(), |path| path.display().to_string())
}

/// The sections of a file; none if there is no such file.
#[expect(clippy::disallowed_methods, reason = "profiles are in the shared files of AWS tools")]
fn sections(path: Option<&Path>) -> Result<BTreeMap<String, Section>, Error> {
    let Some(path) = path else { return Ok(BTreeMap::new()) };
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(parse(&text)),
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(BTreeMap::new())
        }
        Err(source) => Err(Error::File { url: path.display().to_string(), source }),
    }
}

fn parse(text: &str) -> BTreeMap<String, Section> {
    let mut sections: BTreeMap<String, Section> = BTreeMap::new();
    let mut current: Option<String> = None;
    let mut outer = String::new();
    for line in text.lines() {
        let is_indented = line.starts_with([' ', '\t']);
        let line = without_comment(line).trim();
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            // `[profile  x]` and `[ profile x ]` name the same profile.
            current = Some(name.split_whitespace().collect::<Vec<_>>().join(" "));
            sections.entry(current.clone().unwrap_or_default()).or_default();
            outer.clear();
        } else if let (Some(section), Some((key, value))) = (&current, line.split_once('=')) {
            let (key, value) = (key.trim(), value.trim());
            let full = if is_indented && !outer.is_empty() {
                format!("{outer}.{key}")
            } else {
                outer = if value.is_empty() { key.to_owned() } else { String::new() };
                key.to_owned()
            };
            sections.entry(section.clone()).or_default().insert(full, value.to_owned());
        }
    }
    sections
}

/// A comment starts the line, or follows white space.
fn without_comment(line: &str) -> &str {
    if line.trim_start().starts_with(['#', ';']) {
        return "";
    }
    let end = [" #", " ;", "\t#", "\t;"].iter().filter_map(|mark| line.find(mark)).min();
    end.map_or(line, |end| line.get(..end).unwrap_or(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_comments_and_indented_blocks_are_read() {
        let text = "# head\n[default]\nregion = eu-west-1 ; inline\n\n[profile  lab]\n\
                    aws_secret_access_key = a#b=c/d\nservices = lab\nregion=x\n\
                    [services lab]\ns3 =\n  endpoint_url = http://lab:9000\n\
                    sts =\n  endpoint_url = http://lab:9001\n";
        let sections = parse(text);
        assert_eq!(sections["default"]["region"], "eu-west-1");
        assert_eq!(sections["profile lab"]["aws_secret_access_key"], "a#b=c/d");
        assert_eq!(sections["profile lab"]["region"], "x");
        assert_eq!(sections["services lab"]["s3.endpoint_url"], "http://lab:9000");
        assert_eq!(sections["services lab"]["sts.endpoint_url"], "http://lab:9001");
    }
}
