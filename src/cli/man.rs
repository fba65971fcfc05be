//! `man`: the manual page, on standard output.

use std::io::{self, Write as _};

use clap::{Command, CommandFactory as _};
use clap_mangen::Man;

use super::Cli;
use super::error::CliError;

pub(super) fn run() -> Result<(), CliError> {
    let mut command = Cli::command();
    command.build();
    let mut page = Vec::new();
    let man = Man::new(command.clone());
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    for subcommand in command.get_subcommands() {
        add_section(&mut page, "llmscope", subcommand)?;
    }
    man.render_extra_section(&mut page)?;
    man.render_version_section(&mut page)?;
    Ok(io::stdout().write_all(&page)?)
}

/// A section on a command and, after it, on the commands below it.
fn add_section(page: &mut Vec<u8>, parent: &str, command: &Command) -> io::Result<()> {
    if command.get_name() == "help" {
        return Ok(());
    }
    let title = format!("{parent} {}", command.get_name());
    let mut section = Vec::new();
    writeln!(section, ".SH {:?}", title.to_uppercase())?;
    let man = Man::new(command.clone());
    man.render_synopsis_section(&mut section)?;
    man.render_description_section(&mut section)?;
    man.render_options_section(&mut section)?;
    // One page for all: what is a section on a page of its own is a part of one here.
    let section = String::from_utf8_lossy(&section).replace("\n.SH ", "\n.SS ");
    page.extend_from_slice(section.as_bytes());
    for subcommand in command.get_subcommands() {
        add_section(page, &title, subcommand)?;
    }
    Ok(())
}
