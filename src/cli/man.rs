//! `man`: the manual page, on standard output.

use std::io::{self, Write as _};

use clap::CommandFactory as _;
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
        if subcommand.get_name() == "help" {
            continue;
        }
        let mut section = Vec::new();
        let title = format!("llmscope {}", subcommand.get_name());
        writeln!(section, ".SH {:?}", title.to_uppercase())?;
        let man = Man::new(subcommand.clone());
        man.render_synopsis_section(&mut section)?;
        man.render_description_section(&mut section)?;
        man.render_options_section(&mut section)?;
        // One page for all: what is a section on a page of its own is a part of one here.
        let section = String::from_utf8_lossy(&section).replace("\n.SH ", "\n.SS ");
        page.extend_from_slice(section.as_bytes());
    }
    man.render_extra_section(&mut page)?;
    man.render_version_section(&mut page)?;
    Ok(io::stdout().write_all(&page)?)
}
