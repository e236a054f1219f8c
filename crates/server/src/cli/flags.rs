//! A flag for every setting, made from the one list of settings.

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches, error::Error, value_parser};
use claviger_engine::secret::Secret;
use std::path::PathBuf;

use crate::config::{Given, KEYS};

/// What the command line says about settings.
pub(super) struct Flags {
    pub(super) given: Given,
}

impl Args for Flags {
    fn augment_args(command: Command) -> Command {
        let config = Arg::new("config")
            .long("config")
            .value_name("FILE")
            .value_parser(value_parser!(PathBuf))
            .global(true)
            .help_heading("Settings")
            .help("The configuration file [default: claviger.toml, when there is one]");
        KEYS.iter().fold(command.arg(config), |command, key| {
            command.arg(
                Arg::new(key.name)
                    .long(key.flag())
                    .value_name("VALUE")
                    .global(true)
                    .help_heading("Settings")
                    .hide_short_help(true)
                    .help(key.help),
            )
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let flags = KEYS
            .iter()
            .filter_map(|key| Some((key.name, Secret::new(matches.get_one::<String>(key.name)?.as_str()))))
            .collect();
        Ok(Self { given: Given { config: matches.get_one::<PathBuf>("config").cloned(), flags } })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
