//! The credentials that requests are signed with: found once, in a fixed order of precedence.

use std::fmt;

use object_store::aws::AmazonS3Builder;

use crate::error::Error;
use crate::profile::Profile;
use crate::variables::{Variables, WithOrigin, unusable};

/// The credentials that requests are signed with.
#[derive(Debug, Clone)]
pub(crate) enum Credentials {
    Anonymous,
    Key { id: String, secret: Secret, token: Option<Secret> },
    WebIdentity,
    Container,
    Instance,
}

/// A secret text, masked when it is printed.
#[derive(Clone)]
pub(crate) struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("****")
    }
}

impl Credentials {
    /// Configures the client with them.
    pub(crate) fn apply(&self, builder: AmazonS3Builder) -> AmazonS3Builder {
        match self {
            Self::Anonymous => builder.with_skip_signature(true),
            Self::Key { id, secret, token } => {
                let builder = builder.with_access_key_id(id).with_secret_access_key(&secret.0);
                match token {
                    Some(token) => builder.with_token(&token.0),
                    None => builder,
                }
            }
            // The client finds these by the variables that it is passed.
            Self::WebIdentity | Self::Container | Self::Instance => builder,
        }
    }
}

/// The first of: unsigned if so configured, keys of the variables, keys of a named profile, a web
/// identity, keys of the default profile, the container, the instance.
pub(crate) fn find(
    variables: &Variables<'_>,
    profile: &Profile,
) -> Result<WithOrigin<Credentials>, Error> {
    let skip = variables.flag("AWS_SKIP_SIGNATURE")?;
    if skip.value {
        return Ok(WithOrigin { value: Credentials::Anonymous, origin: skip.origin });
    }
    let (id, secret) = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY");
    let token = variables.get("AWS_SESSION_TOKEN").map(str::to_owned);
    let found = [(id, variables.get(id)), (secret, variables.get(secret))];
    let found = found.map(|(name, value)| Some((value?.to_owned(), name.to_owned())));
    if let Some(key) = key([id, secret], found, token)? {
        return Ok(key);
    }
    let of_profile = || {
        let (id, secret) = ("aws_access_key_id", "aws_secret_access_key");
        let token = profile.get("aws_session_token").map(|(token, _)| token);
        key([id, secret], [id, secret].map(|name| profile.get(name)), token)
    };
    let is_named = variables.get("AWS_PROFILE").is_some();
    if is_named && let Some(key) = of_profile()? {
        return Ok(key);
    }
    let given = |value, name: &str| Ok(WithOrigin { value, origin: name.to_owned() });
    if !is_named {
        let name = "AWS_WEB_IDENTITY_TOKEN_FILE";
        if variables.get(name).is_some() && variables.get("AWS_ROLE_ARN").is_some() {
            return given(Credentials::WebIdentity, name);
        }
        if let Some(key) = of_profile()? {
            return Ok(key);
        }
        let containers =
            ["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"];
        if let Some(name) = containers.into_iter().find(|name| variables.get(name).is_some()) {
            return given(Credentials::Container, name);
        }
    }
    if let Some(source) = profile.unsupported() {
        return Err(Error::Setting {
            name: format!("profile {}", profile.name),
            expected: "aws_access_key_id and aws_secret_access_key (export others with `aws \
                       configure export-credentials --format env`)"
                .to_owned(),
            found: source.to_owned(),
        });
    }
    if is_named {
        return Err(Error::Setting {
            name: format!("profile {}", profile.name),
            expected: "aws_access_key_id and aws_secret_access_key".to_owned(),
            found: "neither".to_owned(),
        });
    }
    given(Credentials::Instance, "default")
}

/// An access key, if id and secret are both set; an error if only one is.
fn key(
    names: [&str; 2],
    found: [Option<(String, String)>; 2],
    token: Option<String>,
) -> Result<Option<WithOrigin<Credentials>>, Error> {
    match found {
        [Some((id, origin)), Some((secret, _))] => {
            let secret = Secret(secret);
            let value = Credentials::Key { id, secret, token: token.map(Secret) };
            Ok(Some(WithOrigin { value, origin }))
        }
        [None, None] => Ok(None),
        [Some((_, origin)), None] => {
            let expected = format!("{} beside it", names[1]);
            Err(unusable(&origin, &expected, "none"))
        }
        [None, Some((_, origin))] => {
            let expected = format!("{} beside it", names[0]);
            Err(unusable(&origin, &expected, "none"))
        }
    }
}
