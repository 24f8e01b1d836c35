//! The command line: what each command does, and how it ends.
//!
//! Exit codes: 0 done, 1 a check failed or the work could not be done, 2 usage or configuration.

mod audit;
mod verify;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::{
    app::{self, Only},
    clock::Clock,
    config::{self, Config},
    demo, doctor, http,
    outbound::{Limits, Wire},
    sandbox, telemetry,
};

/// An approved ticket becomes a time-bound admin assignment in Microsoft Entra, and everybody can prove it.
#[derive(Debug, Parser)]
#[command(name = "stint", version, about, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Take webhooks in, work on requests, answer auditors.
    Serve {
        #[command(flatten)]
        configuration: Configuration,
        /// Run one half only; the other runs elsewhere on the same database.
        #[arg(long, value_enum)]
        only: Option<Half>,
        /// Do everything but grant: PIM is only asked whether it would, and the ticket is told so. Each request uses its
        /// approval up. What was granted before still ends, early too. `dry_run = true` does the same for one connection.
        #[arg(long)]
        dry_run: bool,
    },
    /// Bring the database's schema up to this program's.
    Migrate {
        #[command(flatten)]
        configuration: Configuration,
    },
    /// Drop what the configuration says is kept no longer: bodies, snapshots, facts of events; never records. For cron.
    Retention {
        #[command(flatten)]
        configuration: Configuration,
    },
    /// Ask everybody around whether they are as stint needs them; change nothing.
    Doctor {
        #[command(flatten)]
        configuration: Configuration,
        /// Print the checks as a JSON array.
        #[arg(long)]
        json: bool,
    },
    /// Play the whole story against the simulators, in faster time, on a private PostgreSQL.
    Demo,
    /// Leave the same world running, with addresses, tokens and a ready-made signed webhook.
    Sandbox,
    /// Print the OpenAPI document of the API, as `/openapi.json` answers it.
    Openapi {
        /// The configuration that says at which address callers reach the API; without it, the document has paths only.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Keys and proofs of the audit log.
    Audit {
        #[command(subcommand)]
        command: audit::Command,
    },
    /// Print the JSON Schema of the configuration file.
    ConfigSchema,
    /// Holds a private PostgreSQL and stops it when its parent is gone.
    #[command(name = "__pg-guard", hide = true)]
    PgGuard,
}

#[derive(Debug, Args)]
struct Configuration {
    /// The configuration file; single keys are overridden by `STINT__SECTION__KEY`.
    #[arg(long, value_name = "FILE", default_value = "config/stint.toml")]
    config: PathBuf,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Half {
    /// Webhooks and the API.
    Http,
    /// The work on requests.
    Worker,
}

/// Runs a command to its end.
#[must_use]
pub fn run(cli: Cli) -> ExitCode {
    // The server's guard must not touch standard input or the environment before it starts.
    if matches!(cli.command, Command::PgGuard) {
        return sandbox::postgres::guard_main([]);
    }
    // Fails only when a provider is installed already, which is this one.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    match cli.command {
        Command::Serve { configuration, only, dry_run } => {
            with_config(&configuration, |config| serve(config, only, dry_run))
        }
        Command::Migrate { configuration } => with_config(&configuration, |config| in_runtime(app::migrate(config))),
        Command::Retention { configuration } => {
            with_config(&configuration, |config| in_runtime(async { app::retention(&config, &Clock::system()).await }))
        }
        Command::Doctor { configuration, json } => {
            telemetry::quiet();
            with_config(&configuration, |config| examine(&config, json))
        }
        Command::Demo => {
            telemetry::quiet();
            in_runtime(demo::play())
        }
        Command::Sandbox => {
            telemetry::init();
            in_runtime(demo::stay())
        }
        Command::Openapi { config: None } => print_document(None),
        Command::Openapi { config: Some(config) } => {
            with_config(&Configuration { config }, |config| print_document(Some(&config.server.public_url)))
        }
        Command::Audit { command } => audit::run(command),
        Command::ConfigSchema => print_schema(),
        Command::PgGuard => ExitCode::SUCCESS,
    }
}

fn serve(config: Config, only: Option<Half>, dry_run: bool) -> ExitCode {
    telemetry::init();
    let only = match only {
        None => Only::Both,
        Some(Half::Http) => Only::Http,
        Some(Half::Worker) => Only::Worker,
    };
    in_runtime(app::serve(config, only, dry_run))
}

fn with_config(configuration: &Configuration, run: impl FnOnce(Config) -> ExitCode) -> ExitCode {
    match config::load(&configuration.config, environment()) {
        Ok(config) => run(config),
        Err(faults) => {
            anstream::eprintln!("stint: {faults}");
            ExitCode::from(2)
        }
    }
}

/// The environment's variables; one that is no text cannot be meant for stint.
fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

fn print_document(public_url: Option<&url::Url>) -> ExitCode {
    anstream::print!("{}", http::document::text(public_url));
    ExitCode::SUCCESS
}

fn print_schema() -> ExitCode {
    match serde_json::to_string_pretty(&config::schema()) {
        Ok(schema) => {
            anstream::println!("{schema}");
            ExitCode::SUCCESS
        }
        Err(error) => failed(&error.into()),
    }
}

/// Prints what the doctor says; whatever will fail makes the command fail.
fn examine(config: &Config, json: bool) -> ExitCode {
    let mut failing = false;
    let ended = in_runtime(async {
        let report = doctor::examine(config, &Wire::new(Limits::default())?, &Clock::system()).await;
        failing = report.has_failed();
        let text = if json { serde_json::to_string_pretty(&report)? } else { report.to_string() };
        anstream::println!("{text}");
        Ok(())
    });
    if failing { ExitCode::FAILURE } else { ended }
}

fn in_runtime(work: impl Future<Output = anyhow::Result<()>>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    match runtime.map_err(anyhow::Error::from).and_then(|runtime| runtime.block_on(work)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

fn failed(error: &anyhow::Error) -> ExitCode {
    anstream::eprintln!("stint: {error:#}");
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
