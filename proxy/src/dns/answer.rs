//! The answer to one question, where it is about a name of the mesh.
//!
//! Never says that such a name does not exist, whatever kind of record is asked for: it does.

use std::collections::HashMap;
use std::net::IpAddr;

use hickory_proto::op::{Edns, Message, MessageType, OpCode, ResponseCode};
use hickory_proto::rr::{DNSClass, RData, Record, RecordType};

/// Seconds for which an answer may be kept (language 3.7: at most 30).
const TTL: u32 = 30;

/// The addresses of hostnames, which are in lower case and without the dot of the root.
pub(crate) type Names = HashMap<Box<str>, IpAddr>;

/// `None`: it is about somebody else, or is nothing that a name server of the mesh answers.
pub(super) fn answer(question: &[u8], names: &Names) -> Option<Vec<u8>> {
    let asked = Message::from_vec(question).ok()?;
    let [query] = asked.queries.as_slice() else {
        return None;
    };
    let about_us = asked.metadata.message_type == MessageType::Query
        && asked.metadata.op_code == OpCode::Query
        && query.query_class() == DNSClass::IN;
    let name = query.name().to_lowercase().to_ascii();
    let name = name.strip_suffix('.').unwrap_or(&name);
    let address = names.get(name).filter(|_| about_us)?;
    let mut answer = reply(&asked, ResponseCode::NoError);
    answer.metadata.authoritative = true;
    let wanted = query.query_type();
    let record = match address {
        IpAddr::V4(ip) => (RecordType::A, RData::A((*ip).into())),
        IpAddr::V6(ip) => (RecordType::AAAA, RData::AAAA((*ip).into())),
    };
    if wanted == record.0 || wanted == RecordType::ANY {
        answer.add_answer(Record::from_rdata(query.name().clone(), TTL, record.1));
    }
    answer.to_vec().ok()
}

/// What is said where nobody answers.
pub(super) fn failure(question: &[u8]) -> Option<Vec<u8>> {
    let asked = Message::from_vec(question).ok()?;
    let is_query = asked.metadata.message_type == MessageType::Query;
    is_query.then(|| reply(&asked, ResponseCode::ServFail).to_vec().ok())?
}

fn reply(asked: &Message, code: ResponseCode) -> Message {
    let mut reply = Message::response(asked.metadata.id, asked.metadata.op_code);
    reply.metadata.recursion_desired = asked.metadata.recursion_desired;
    reply.metadata.recursion_available = true;
    reply.metadata.response_code = code;
    reply.add_queries(asked.queries.iter().cloned());
    if asked.edns.is_some() {
        // RFC 6891 6.1.1: who asks with it is answered with it.
        reply.set_edns(Edns::new());
    }
    reply
}

#[cfg(test)]
mod tests {
    use hickory_proto::op::Query;
    use hickory_proto::rr::Name;

    use super::*;

    fn asks(name: &str, kind: RecordType, change: impl FnOnce(&mut Message)) -> Vec<u8> {
        let mut message = Message::query();
        message.metadata.id = 4_711;
        message.metadata.recursion_desired = true;
        message.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
        change(&mut message);
        message.to_vec().unwrap()
    }

    fn names() -> Names {
        let name = |name: &str, ip: &str| (name.into(), ip.parse().unwrap());
        Names::from([
            name("api.svc.mesh.local", "241.0.0.7"),
            name("six.svc.mesh.local", "fd00::7"),
        ])
    }

    #[test]
    fn names_of_the_mesh_are_answered_and_no_others() {
        let none: Option<&[&str]> = None;
        for (name, kind, expected) in [
            (
                "api.svc.mesh.local.",
                RecordType::A,
                Some(&["241.0.0.7"][..]),
            ),
            ("API.Svc.mesh.LOCAL.", RecordType::A, Some(&["241.0.0.7"])),
            ("api.svc.mesh.local.", RecordType::ANY, Some(&["241.0.0.7"])),
            // It exists, without such a record.
            ("api.svc.mesh.local.", RecordType::AAAA, Some(&[])),
            ("api.svc.mesh.local.", RecordType::MX, Some(&[])),
            ("six.svc.mesh.local.", RecordType::AAAA, Some(&["fd00::7"])),
            ("x.api.svc.mesh.local.", RecordType::A, none),
            ("example.org.", RecordType::A, none),
        ] {
            let found = answer(&asks(name, kind, |_| {}), &names());
            let found = found.map(|answer| Message::from_vec(&answer).unwrap());
            let told = found.as_ref().map(|answer| {
                let records = answer.answers.iter();
                records
                    .map(|record| record.data.to_string())
                    .collect::<Vec<_>>()
            });
            let expected = expected.map(|all| all.iter().map(ToString::to_string).collect());
            assert_eq!(told, expected, "{name} {kind}");
            let Some(answer) = found else { continue };
            assert_eq!(answer.metadata.id, 4_711);
            assert_eq!(answer.metadata.response_code, ResponseCode::NoError);
            assert_eq!(answer.queries[0].name().to_ascii(), name, "as it was asked");
            assert!(answer.answers.iter().all(|record| record.ttl <= 30));
        }
    }

    #[test]
    fn what_is_no_question_is_not_answered() {
        let name = "api.svc.mesh.local.";
        let class = |message: &mut Message| {
            message.queries[0].set_query_class(DNSClass::CH);
        };
        let twice = |message: &mut Message| message.queries.push(message.queries[0].clone());
        for question in [
            Vec::new(),
            vec![0; 11],
            vec![0xff; 600],
            asks(name, RecordType::A, class),
            asks(name, RecordType::A, twice),
            asks(name, RecordType::A, |message| {
                message.metadata.message_type = MessageType::Response;
            }),
        ] {
            assert_eq!(answer(&question, &names()), None);
        }
        let reply = asks(name, RecordType::A, |message| {
            message.metadata.message_type = MessageType::Response;
        });
        assert_eq!(
            failure(&reply),
            None,
            "an answer to an answer goes on for ever"
        );
        let failed = failure(&asks("example.org.", RecordType::A, |_| {})).unwrap();
        let failed = Message::from_vec(&failed).unwrap();
        assert_eq!(failed.metadata.response_code, ResponseCode::ServFail);
    }
}
