//! The records as they are.

use std::io::{Read, Write};

use super::ExportError;
use crate::session::reader::Reader;

pub(super) fn export<R: Read>(
    reader: &mut Reader<R>,
    out: &mut impl Write,
) -> Result<(), ExportError> {
    while let Some(record) = reader.next_record()? {
        serde_json::to_writer(&mut *out, &record).map_err(std::io::Error::from)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}
