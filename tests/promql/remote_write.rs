//! Samples into Prometheus: its remote write protocol, which is protobuf in snappy, as little of both as it takes.

use std::io::{Read, Write};
use std::net::TcpStream;

use super::series::Recorded;

/// Writes all series at once.
pub fn send(address: &str, recorded: &[Recorded]) {
    let mut request = Vec::new();
    for series in recorded {
        let mut message = Vec::new();
        for (name, value) in series.labels.iter() {
            let mut label = Vec::new();
            bytes(&mut label, 1, name.as_bytes());
            bytes(&mut label, 2, value.as_bytes());
            bytes(&mut message, 1, &label);
        }
        for sample in &series.samples {
            let mut point = vec![1 << 3 | 1];
            point.extend_from_slice(&sample.value.to_bits().to_le_bytes());
            point.push(2 << 3);
            varint(&mut point, sample.at.cast_unsigned());
            bytes(&mut message, 2, &point);
        }
        bytes(&mut request, 1, &message);
    }
    let body = snappy(&request);
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "POST /api/v1/write HTTP/1.0\r\nhost: {address}\r\ncontent-type: application/x-protobuf\r\n\
         content-encoding: snappy\r\nx-prometheus-remote-write-version: 0.1.0\r\ncontent-length: {}\r\n\r\n",
        body.len()
    )
    .unwrap();
    stream.write_all(&body).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains(" 204 "), "{answer}");
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn bytes(out: &mut Vec<u8>, field: u8, content: &[u8]) {
    out.push(field << 3 | 2);
    varint(out, content.len() as u64);
    out.extend_from_slice(content);
}

/// Nothing but literals.
fn snappy(content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    varint(&mut out, content.len() as u64);
    for chunk in content.chunks(1 << 16) {
        out.push(61 << 2);
        out.extend_from_slice(&((chunk.len() - 1) as u16).to_le_bytes());
        out.extend_from_slice(chunk);
    }
    out
}
