//! The settings of a store, resolved once: the only place that gives meaning to `AWS_…` variables.
//!
//! The scheme of the URL selects the backend. For S3 each setting comes from the variables, else
//! from the profile, else from a default; each remembers its origin. Region and endpoint are always
//! set explicitly, so that no client has to guess. An empty variable counts as not set.
//!
//! The variables are passed in as a map; the only files that are read are those of the profile.

use std::collections::BTreeMap;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};

use crate::credentials::{self, Credentials};
use crate::error::Error;
use crate::limits::Limits;
use crate::location::{Location, masked};
use crate::profile::Profile;
use crate::variables::{Variables, WithOrigin, unusable};

/// The region when nothing names one.
const DEFAULT_REGION: &str = "us-east-1";

/// Variables that are passed to the S3 client unchanged: sources of credentials other than a key,
/// and headers that a bucket may require of each request.
const PASSED_ON: [&str; 17] = [
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_ENDPOINT_URL_STS",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_METADATA_ENDPOINT",
    "AWS_IMDSV1_FALLBACK",
    "AWS_REQUEST_PAYER",
    "AWS_UNSIGNED_PAYLOAD",
    "AWS_CHECKSUM_ALGORITHM",
    "AWS_SERVER_SIDE_ENCRYPTION",
    "AWS_SSE_KMS_KEY_ID",
    "AWS_SSE_BUCKET_KEY_ENABLED",
    "AWS_S3_EXPRESS",
    "AWS_DISABLE_TAGGING",
];

/// Where a store is and how to reach it.
#[derive(Debug, Clone)]
pub struct StoreSettings {
    url: String,
    location: Location,
    s3: Option<S3Settings>,
    limits: Limits,
}

/// One resolved setting, for display.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Its name.
    pub name: &'static str,
    /// Its value; masked if it is secret.
    pub value: String,
    /// The variable or file it came from, or `default`.
    pub origin: String,
}

/// How to reach a bucket.
#[derive(Debug, Clone)]
pub(crate) struct S3Settings {
    pub(crate) bucket: String,
    pub(crate) prefix: String,
    pub(crate) region: WithOrigin<String>,
    pub(crate) endpoint: WithOrigin<String>,
    pub(crate) allow_http: WithOrigin<bool>,
    /// A file of certificates to trust beside those of the system.
    pub(crate) ca_bundle: Option<WithOrigin<String>>,
    virtual_hosted: WithOrigin<bool>,
    credentials: WithOrigin<Credentials>,
    passed_on: BTreeMap<&'static str, String>,
}

impl StoreSettings {
    /// Resolves the settings of the store at `url` from `variables`, which are the variables of the
    /// process as the binary hands them in.
    ///
    /// # Errors
    /// If the URL or a variable cannot be used, or a profile is named that does not exist.
    pub fn resolve(url: &str, variables: &BTreeMap<String, String>) -> Result<Self, Error> {
        let location = Location::parse(url)?;
        let s3 = match &location {
            Location::Folder(_) | Location::Memory => None,
            Location::S3 { bucket, prefix } => {
                Some(S3Settings::resolve(bucket, prefix, variables)?)
            }
        };
        Ok(Self { url: url.to_owned(), location, s3, limits: Limits::default() })
    }

    /// The same store within other limits.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// How long and how much the store may take.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// The URL of the store.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Every setting with its value and origin. Secrets are masked.
    pub fn describe(&self) -> Vec<Setting> {
        let mut all =
            vec![Setting { name: "store", value: self.url.clone(), origin: "as given".to_owned() }];
        if let Some(s3) = &self.s3 {
            s3.describe(&mut all);
        }
        all
    }

    pub(crate) fn location(&self) -> &Location {
        &self.location
    }

    pub(crate) fn s3(&self) -> Option<&S3Settings> {
        self.s3.as_ref()
    }
}

impl S3Settings {
    fn resolve(
        bucket: &str,
        prefix: &str,
        variables: &BTreeMap<String, String>,
    ) -> Result<Self, Error> {
        let profile = Profile::read(variables)?;
        let variables = Variables(variables);
        let region = variables
            .first(&["AWS_REGION", "AWS_DEFAULT_REGION"])
            .or_else(|| profile.get("region").map(WithOrigin::from_pair))
            .unwrap_or_else(|| WithOrigin::default(DEFAULT_REGION.to_owned()));
        let virtual_hosted = variables.flag("AWS_VIRTUAL_HOSTED_STYLE_REQUEST")?;
        let endpoint = variables
            .first(&["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"])
            .or_else(|| profile.endpoint().map(WithOrigin::from_pair));
        let endpoint = match endpoint {
            Some(endpoint) => endpoint,
            None => {
                WithOrigin::default(amazon_endpoint(bucket, &region.value, virtual_hosted.value))
            }
        };
        let endpoint = WithOrigin {
            value: endpoint.value.trim_end_matches('/').to_owned(),
            origin: endpoint.origin,
        };
        let allow_http = allow_http(&variables, &endpoint)?;
        let ca_bundle = variables
            .first(&["AWS_CA_BUNDLE"])
            .or_else(|| profile.get("ca_bundle").map(WithOrigin::from_pair));
        let credentials = credentials::find(&variables, &profile)?;
        let passed_on = PASSED_ON
            .into_iter()
            .filter_map(|name| Some((name, variables.get(name)?.to_owned())))
            .collect();
        Ok(Self {
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
            region,
            endpoint,
            allow_http,
            ca_bundle,
            virtual_hosted,
            credentials,
            passed_on,
        })
    }

    /// Whether credentials come from the instance, because nothing else was configured.
    pub(crate) fn uses_instance_credentials(&self) -> bool {
        matches!(self.credentials.value, Credentials::Instance)
    }

    /// Configures the client with all settings but the timeouts and certificates.
    pub(crate) fn apply(&self, builder: AmazonS3Builder) -> Result<AmazonS3Builder, Error> {
        let mut builder = builder
            .with_bucket_name(&self.bucket)
            .with_region(&self.region.value)
            .with_endpoint(&self.endpoint.value)
            .with_virtual_hosted_style_request(self.virtual_hosted.value);
        for (name, value) in &self.passed_on {
            let key: AmazonS3ConfigKey = name
                .to_ascii_lowercase()
                .parse()
                .map_err(|_| unusable(name, "a variable that the S3 client knows", value))?;
            builder = builder.with_config(key, value);
        }
        Ok(self.credentials.value.apply(builder))
    }

    fn describe(&self, all: &mut Vec<Setting>) {
        let mut add = |name, value: &str, origin: &str| {
            all.push(Setting { name, value: value.to_owned(), origin: origin.to_owned() });
        };
        let flag = |flag: &WithOrigin<bool>| flag.value.to_string();
        add("bucket", &self.bucket, "store");
        add("prefix", &self.prefix, "store");
        add("endpoint", &self.endpoint.value, &self.endpoint.origin);
        add("region", &self.region.value, &self.region.origin);
        add("allow http", &flag(&self.allow_http), &self.allow_http.origin);
        if let Some(bundle) = &self.ca_bundle {
            add("ca bundle", &bundle.value, &bundle.origin);
        }
        let hosted = &self.virtual_hosted;
        add("virtual hosted style", &flag(hosted), &hosted.origin);
        let origin = &self.credentials.origin;
        match &self.credentials.value {
            Credentials::Anonymous => add("credentials", "none, requests are not signed", origin),
            Credentials::Key { id, secret, token } => {
                add("access key id", id, origin);
                add("secret access key", &format!("{secret:?}"), origin);
                if let Some(token) = token {
                    add("session token", &format!("{token:?}"), origin);
                }
            }
            Credentials::WebIdentity => add("credentials", "web identity", origin),
            Credentials::Container => add("credentials", "container", origin),
            Credentials::Instance => add("credentials", "instance", origin),
        }
        for (name, value) in &self.passed_on {
            add(name, &masked(value), "as given");
        }
    }
}

/// Plain HTTP is allowed by `AWS_ALLOW_HTTP`, and to an endpoint on this machine.
fn allow_http(
    variables: &Variables<'_>,
    endpoint: &WithOrigin<String>,
) -> Result<WithOrigin<bool>, Error> {
    let mut allowed = variables.flag("AWS_ALLOW_HTTP")?;
    let Some((scheme, rest)) = endpoint.value.split_once("://") else {
        let expected = "a URL that starts with https:// or http://";
        return Err(unusable(&endpoint.origin, expected, &masked(&endpoint.value)));
    };
    if masked(&endpoint.value) != endpoint.value {
        let expected = "a URL without user and password (they belong in AWS_ACCESS_KEY_ID and \
                        AWS_SECRET_ACCESS_KEY)";
        return Err(unusable(&endpoint.origin, expected, &masked(&endpoint.value)));
    }
    let host = rest.split(['/', '?']).next().unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    match scheme {
        "https" => {}
        "http" if allowed.value => {}
        "http" if ["127.0.0.1", "localhost", "[::1]"].contains(&name) => {
            allowed = WithOrigin { value: true, origin: "the endpoint is this machine".to_owned() };
        }
        "http" => {
            let expected = "a URL that starts with https://, or AWS_ALLOW_HTTP=true";
            return Err(unusable(&endpoint.origin, expected, &endpoint.value));
        }
        _ => {
            let expected = "a URL that starts with https:// or http://";
            return Err(unusable(&endpoint.origin, expected, &endpoint.value));
        }
    }
    Ok(allowed)
}

/// The endpoint of Amazon S3 for a region.
fn amazon_endpoint(bucket: &str, region: &str, virtual_hosted: bool) -> String {
    let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    if virtual_hosted {
        format!("https://{bucket}.s3.{region}.{domain}")
    } else {
        format!("https://s3.{region}.{domain}")
    }
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
