//! Tests of how settings are resolved: what each variable and file means, and what is refused.
#![expect(clippy::disallowed_methods, reason = "test code")]

use std::fs;
use std::path::Path;

use terms::ErrorClass;

use super::*;

const URL: &str = "s3://lab/prefix";

/// Variables without a home, so that no file of this machine is read.
fn variables(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn with_home(home: &Path, pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let mut variables = variables(pairs);
    variables.insert("HOME".to_owned(), home.display().to_string());
    variables
}

fn home(config: &str, credentials: &str) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join(".aws")).unwrap();
    fs::write(home.path().join(".aws/config"), config).unwrap();
    fs::write(home.path().join(".aws/credentials"), credentials).unwrap();
    home
}

#[track_caller]
fn check(variables: &BTreeMap<String, String>, name: &str, value: &str, origin: &str) {
    let all = StoreSettings::resolve(URL, variables).unwrap().describe();
    let found = all.iter().find(|setting| setting.name == name).unwrap();
    assert_eq!(found.value, value);
    assert!(found.origin.ends_with(origin), "{found:?}");
}

#[track_caller]
fn refused(variables: &BTreeMap<String, String>) -> String {
    let error = StoreSettings::resolve(URL, variables).unwrap_err();
    assert_eq!(error.class(), ErrorClass::Configuration);
    error.to_string()
}

#[test]
fn region_and_endpoint_are_always_set() {
    check(&variables(&[]), "region", "us-east-1", "default");
    check(&variables(&[]), "endpoint", "https://s3.us-east-1.amazonaws.com", "default");
    let frankfurt = variables(&[("AWS_DEFAULT_REGION", "eu-central-1"), ("AWS_REGION", "")]);
    check(&frankfurt, "region", "eu-central-1", "AWS_DEFAULT_REGION");
    check(&frankfurt, "endpoint", "https://s3.eu-central-1.amazonaws.com", "default");
    let hosted = variables(&[("AWS_VIRTUAL_HOSTED_STYLE_REQUEST", "true")]);
    check(&hosted, "endpoint", "https://lab.s3.us-east-1.amazonaws.com", "default");
}

#[test]
fn the_endpoint_for_s3_comes_before_the_others() {
    let mut all = variables(&[
        ("AWS_ENDPOINT_URL_S3", "https://a:1/"),
        ("AWS_ENDPOINT_URL", "https://b"),
        ("AWS_ENDPOINT", "https://c"),
    ]);
    check(&all, "endpoint", "https://a:1", "AWS_ENDPOINT_URL_S3");
    all.remove("AWS_ENDPOINT_URL_S3");
    check(&all, "endpoint", "https://b", "AWS_ENDPOINT_URL");
    all.remove("AWS_ENDPOINT_URL");
    check(&all, "endpoint", "https://c", "AWS_ENDPOINT");
}

#[test]
fn plain_http_needs_permission_except_on_this_machine() {
    for local in ["http://127.0.0.1:9000", "http://localhost:9000", "http://[::1]:9000"] {
        check(&variables(&[("AWS_ENDPOINT_URL", local)]), "allow http", "true", "this machine");
    }
    let mut far = variables(&[("AWS_ENDPOINT_URL", "http://minio:9000")]);
    assert!(refused(&far).contains("AWS_ALLOW_HTTP=true"));
    far.insert("AWS_ALLOW_HTTP".to_owned(), "True".to_owned());
    check(&far, "allow http", "true", "AWS_ALLOW_HTTP");
    let typo = variables(&[("AWS_ENDPOINT_URL", "http://localhost.evil.example")]);
    assert!(refused(&typo).contains("AWS_ALLOW_HTTP=true"));
}

#[test]
fn unusable_variables_are_named() {
    assert!(refused(&variables(&[("AWS_ALLOW_HTTP", "maybe")])).starts_with("AWS_ALLOW_HTTP: "));
    let endpoint = refused(&variables(&[("AWS_ENDPOINT_URL", "minio:9000")]));
    assert!(endpoint.starts_with("AWS_ENDPOINT_URL: "), "{endpoint}");
    let half = refused(&variables(&[("AWS_SECRET_ACCESS_KEY", "hush")]));
    assert!(half.contains("AWS_ACCESS_KEY_ID") && !half.contains("hush"), "{half}");
}

#[test]
fn secrets_are_masked_everywhere() {
    let variables = variables(&[
        ("AWS_ACCESS_KEY_ID", "AKID"),
        ("AWS_SECRET_ACCESS_KEY", "hush"),
        ("AWS_SESSION_TOKEN", "hush-token"),
    ]);
    let settings = StoreSettings::resolve(URL, &variables).unwrap();
    assert!(!format!("{settings:?} {:?}", settings.describe()).contains("hush"));
    check(&variables, "access key id", "AKID", "AWS_ACCESS_KEY_ID");
    check(&variables, "secret access key", "****", "AWS_ACCESS_KEY_ID");
    check(&variables, "session token", "****", "AWS_ACCESS_KEY_ID");
}

#[test]
fn a_named_profile_gives_keys_region_and_endpoint() {
    let home = home(
        "[default]\nregion = us-west-2\n[profile lab]\nregion = eu-west-3\nservices = s\n\
         [services s]\ns3 =\n  endpoint_url = https://lab:9000\n",
        "[default]\naws_access_key_id = D\naws_secret_access_key = d\n\
         [lab]\naws_access_key_id = L\naws_secret_access_key = l\n",
    );
    let lab = with_home(home.path(), &[("AWS_PROFILE", "lab")]);
    check(&lab, "region", "eu-west-3", "config [lab] region");
    check(&lab, "endpoint", "https://lab:9000", "config [services s] s3.endpoint_url");
    check(&lab, "access key id", "L", "credentials [lab] aws_access_key_id");

    let default = with_home(home.path(), &[]);
    check(&default, "region", "us-west-2", "config [default] region");
    check(&default, "access key id", "D", "credentials [default] aws_access_key_id");

    // A variable comes before the profile, each on its own.
    let mixed = with_home(home.path(), &[("AWS_PROFILE", "lab"), ("AWS_REGION", "here")]);
    check(&mixed, "region", "here", "AWS_REGION");
    check(&mixed, "access key id", "L", "aws_access_key_id");
}

#[test]
fn files_may_be_elsewhere() {
    let home = home("", "");
    fs::write(home.path().join("other"), "[profile x]\nendpoint_url = https://x\n").unwrap();
    let file = home.path().join("other").display().to_string();
    let variables = variables(&[
        ("AWS_CONFIG_FILE", &file),
        ("AWS_PROFILE", "x"),
        ("AWS_ACCESS_KEY_ID", "K"),
        ("AWS_SECRET_ACCESS_KEY", "s"),
    ]);
    check(&variables, "endpoint", "https://x", "other [x] endpoint_url");
}

#[test]
fn a_profile_that_gives_no_key_is_refused() {
    let home = home("[profile sso]\nsso_session = s\n[profile empty]\nregion = x\n", "");
    let missing = refused(&with_home(home.path(), &[("AWS_PROFILE", "nowhere")]));
    assert!(missing.contains("\"nowhere\"") && missing.contains(".aws/config"), "{missing}");
    let sso = refused(&with_home(home.path(), &[("AWS_PROFILE", "sso")]));
    assert!(sso.contains("sso_session"), "{sso}");
    refused(&with_home(home.path(), &[("AWS_PROFILE", "empty")]));
}

#[test]
fn sources_of_credentials_other_than_keys_are_tried_in_order() {
    check(&variables(&[]), "credentials", "instance", "default");
    let skip = variables(&[("AWS_SKIP_SIGNATURE", "true"), ("AWS_ACCESS_KEY_ID", "K")]);
    check(&skip, "credentials", "none, requests are not signed", "AWS_SKIP_SIGNATURE");
    let mut all = variables(&[
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "/t"),
        ("AWS_ROLE_ARN", "arn"),
        ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/c"),
    ]);
    check(&all, "credentials", "web identity", "AWS_WEB_IDENTITY_TOKEN_FILE");
    all.remove("AWS_ROLE_ARN");
    check(&all, "credentials", "container", "RELATIVE_URI");
}

#[test]
fn every_variable_that_is_passed_on_is_one_of_the_client() {
    for name in PASSED_ON {
        assert!(name.to_ascii_lowercase().parse::<AmazonS3ConfigKey>().is_ok(), "{name}");
    }
}

#[test]
fn a_password_in_a_url_is_refused_or_masked_and_never_shown() {
    let endpoint = [("AWS_ENDPOINT_URL_S3", "https://me:s3cret@host:9000")];
    let text = refused(&variables(&endpoint));
    assert!(text.contains("AWS_ENDPOINT_URL_S3") && text.contains("****@host:9000"), "{text}");
    assert!(!text.contains("s3cret"), "{text}");
    let text = refused(&variables(&[("AWS_ENDPOINT_URL", "me:s3cret@host")]));
    assert!(!text.contains("s3cret"), "{text}");
    let others = [("AWS_ENDPOINT_URL_STS", "https://me:s3cret@host")];
    check(&variables(&others), "AWS_ENDPOINT_URL_STS", "https://****@host", "as given");
}
