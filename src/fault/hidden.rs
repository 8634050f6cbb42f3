//! The secrets of a profile, for whoever shows what programs and answers say. On disk they are only named.

use std::process::Command;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::profile::{Redactor, Secrets, secret_of_environment};

/// Names the secrets, separated by commas, that a watchdog's environment was given for the ways back.
pub(super) const GIVEN: &str = "STORMDECK_SECRETS";

/// Keeps the secrets that this process was given for its ways back out of a program's environment.
fn withhold_given(command: &mut Command) {
    let given = std::env::var(GIVEN).unwrap_or_default();
    for name in given.split(',').filter(|name| !name.is_empty()) {
        command.env_remove(name);
    }
    command.env_remove(GIVEN);
}

/// The secrets that must not be seen in anything that comes back.
#[derive(Debug, Clone, Default)]
pub struct Hidden {
    names: Vec<String>,
    /// Absent when it was read from the disk.
    redactor: Option<Redactor>,
}

impl From<&Secrets> for Hidden {
    fn from(secrets: &Secrets) -> Self {
        Self {
            names: secrets.names().map(str::to_owned).collect(),
            redactor: Some(Redactor::new(secrets)),
        }
    }
}

impl Hidden {
    /// Blots them out; of those that were read from the disk, the ones that the environment holds. One that it does not
    /// hold cannot have been given to a program either.
    pub fn redactor(&self) -> Redactor {
        if let Some(redactor) = &self.redactor {
            return redactor.clone();
        }
        let mut secrets = Secrets::default();
        for name in &self.names {
            if let Ok(value) = secret_of_environment(name) {
                secrets.insert(name, value);
            }
        }
        Redactor::new(&secrets)
    }

    /// Keeps them out of a program's environment. What it is to have of them is put there afterwards.
    pub(super) fn withhold(&self, command: &mut Command) {
        withhold_given(command);
        for name in &self.names {
            command.env_remove(name);
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}

/// As they are on the disk.
impl PartialEq for Hidden {
    fn eq(&self, other: &Self) -> bool {
        self.names == other.names
    }
}

impl Serialize for Hidden {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.names.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Hidden {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self {
            names: Vec::deserialize(deserializer)?,
            redactor: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_from_the_disk_hides_what_the_environment_holds() {
        let path = std::env::var("PATH").unwrap();
        let mut secrets = Secrets::default();
        secrets.insert("PATH", path.clone());
        let hidden = Hidden::from(&secrets);
        assert_eq!(hidden.redactor().text(&path), "‹secret:PATH›");
        let written = serde_json::to_string(&hidden).unwrap();
        assert_eq!(written, r#"["PATH"]"#);
        let read: Hidden = serde_json::from_str(&written).unwrap();
        assert_eq!(read, hidden);
        assert_eq!(read.redactor().text(&path), "‹secret:PATH›");
    }
}
