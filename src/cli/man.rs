//! `stormdeck man`: one manual page for the program and all its commands.

use std::io::{self, Write};

use clap::Command;
use clap_mangen::Man;

/// The page, in roff. Commands are sections of it, so that one file documents everything.
pub fn page(mut cli: Command) -> io::Result<Vec<u8>> {
    cli.build();
    let mut out = Vec::new();
    let man = Man::new(cli.clone());
    man.render_title(&mut out)?;
    man.render_name_section(&mut out)?;
    man.render_synopsis_section(&mut out)?;
    man.render_description_section(&mut out)?;
    man.render_options_section(&mut out)?;
    let shown = |sub: &&Command| sub.get_name() != "help" && !sub.is_hide_set();
    for command in cli.get_subcommands().filter(shown) {
        section(command, &mut out)?;
    }
    man.render_version_section(&mut out)?;
    Ok(out)
}

/// A command's own page, a level deeper.
fn section(command: &Command, out: &mut Vec<u8>) -> io::Result<()> {
    let man = Man::new(command.clone());
    let mut page = Vec::new();
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    let after = command.get_after_help().map(ToString::to_string);
    if after.is_some() {
        man.render_extra_section(&mut page)?;
    }
    // What follows the options begins with a word of its own.
    let heading = match after {
        Some(text) if text.starts_with("Words:") => "WORDS",
        Some(_) | None => "EXIT STATUS",
    };
    writeln!(
        out,
        ".SH \"STORMDECK {}\"",
        command.get_name().to_uppercase()
    )?;
    let page = String::from_utf8_lossy(&page)
        .replace("\n.SH EXTRA", &format!("\n.SH \"{heading}\""))
        .replace("\n.SH ", "\n.SS ");
    // The preamble that comes before the first heading is for a page that stands alone.
    let body = page.find(".SH ").map_or(&*page, |start| &page[start..]);
    out.write_all(body.replacen(".SH ", ".SS ", 1).as_bytes())
}
