//! `stormdeck export`: a session in the formats of other tools.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use super::pick::DirArgs;
use super::tell;
use crate::session::Reader;
use crate::session::export::{ExportError, Format, export};

/// Write a session in the format of another tool.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A file, a session's name or the beginning of one; `-` reads standard input; the newest session if left out
    session: Option<String>,
    /// The format
    #[arg(long = "as", value_enum, default_value_t = Format::Jsonl, value_name = "FORMAT")]
    format: Format,
    /// The file to write; standard output if left out
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    dir: DirArgs,
}

/// Runs the command. A reader that closes the pipe early is no error.
pub fn run(args: &Args) -> ExitCode {
    match attempt(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            tell(&format!("stormdeck: {message}"));
            ExitCode::from(2)
        }
    }
}

fn attempt(args: &Args) -> Result<(), String> {
    let result = if args.session.as_deref() == Some("-") {
        let reader = Reader::new(io::stdin().lock()).map_err(|error| error.to_string())?;
        put(args, reader)?
    } else {
        let sessions = args.dir.sessions().map_err(|error| error.to_string())?;
        let path = sessions
            .find(args.session.as_deref())
            .map_err(|error| error.to_string())?;
        let named = |error| format!("{}: {error}", path.display());
        put(args, Reader::open(&path).map_err(named)?)?
    };
    match result {
        Err(error) if !error.is_closed_pipe() => Err(error.to_string()),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Exports to where the arguments say. The outer error is that the output cannot be made.
fn put<R: io::Read>(args: &Args, mut reader: Reader<R>) -> Result<Result<(), ExportError>, String> {
    let output: Box<dyn Write> = match &args.output {
        Some(path) => {
            Box::new(File::create(path).map_err(|error| format!("`{}`: {error}", path.display()))?)
        }
        None => Box::new(io::stdout().lock()),
    };
    Ok(export(
        &mut reader,
        args.format,
        &mut BufWriter::new(output),
    ))
}
