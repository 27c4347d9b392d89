//! Serves a folder as S3 until it is killed, and prints the variables that a client needs.
#![expect(clippy::disallowed_methods, reason = "it prints how to reach the server")]

use std::io::{self, Write as _};
use std::path::PathBuf;

use clap::Parser;
use s3_server::{Options, S3Server};

/// An S3-compatible server on 127.0.0.1 for trying things by hand. Not for data you care about.
#[derive(Debug, Parser)]
struct Flags {
    /// Folder whose sub-folders are the buckets; created if absent.
    #[arg(long)]
    folder: PathBuf,
    /// Port on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 9000)]
    port: u16,
    /// Bucket to create.
    #[arg(long, default_value = "demo")]
    bucket: String,
    /// The one access key that is known.
    #[arg(long, default_value = "testkey")]
    access_key: String,
    /// Its secret.
    #[arg(long, default_value = "testsecret")]
    secret_key: String,
}

fn main() -> io::Result<()> {
    let flags = Flags::parse();
    let server = S3Server::start_with(Options {
        folder: flags.folder,
        port: flags.port,
        access_key: flags.access_key,
        secret_key: flags.secret_key,
        unquoted_etags_only: false,
    })?;
    server.create_bucket(&flags.bucket)?;
    let mut out = io::stdout().lock();
    for (name, value) in server.variables() {
        writeln!(out, "export {name}={value}")?;
    }
    writeln!(out, "# the store is s3://{}", flags.bucket)?;
    out.flush()?;
    drop(out);
    server.wait();
    Ok(())
}
