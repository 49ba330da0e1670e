//! Why there is no connection, in words, and how soon to try again.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use mqtt_protocol_core::mqtt::result_code::{
    ConnectReasonCode, ConnectReturnCode, DisconnectReasonCode, PubackReasonCode,
};

const WAIT_MIN: Duration = Duration::from_millis(500);
const WAIT_MAX: Duration = Duration::from_secs(30);
/// After a refused login: brokers lock accounts and addresses that try again and again.
const REFUSED_MIN: Duration = Duration::from_secs(30);
const REFUSED_MAX: Duration = Duration::from_secs(300);

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    /// For people; begins small, as the end of a sentence. No secret.
    pub(super) reason: String,
    pub(super) kind: Kind,
}

/// What is to be expected of another attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It may work.
    Plain,
    /// The same again until a person does something.
    Refused,
    /// Another client has our name: coming back throws it out.
    TakenOver,
}

impl Trouble {
    pub(super) fn plain(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), kind: Kind::Plain }
    }

    pub(super) fn refused(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), kind: Kind::Refused }
    }

    pub(super) fn taken_over(client_id: &str) -> Self {
        let reason = format!(
            "another client logs in as {client_id:?}, so that the broker ends our connection; \
             give each device a client_id of its own"
        );
        Self { reason, kind: Kind::TakenOver }
    }
}

/// Waits between attempts.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
    refusals: u32,
}

impl Backoff {
    /// A connection lasted.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }

    /// How long to wait after this failure: doubled each time, less up to a quarter by chance, so that devices behind
    /// one broker do not come back as a herd.
    pub(super) fn wait(&mut self, kind: Kind) -> Duration {
        let (count, least, most) = match kind {
            Kind::Plain => (&mut self.failures, WAIT_MIN, WAIT_MAX),
            Kind::Refused | Kind::TakenOver => (&mut self.refusals, REFUSED_MIN, REFUSED_MAX),
        };
        let wait = least.saturating_mul(1 << (*count).min(10)).min(most);
        *count += 1;
        wait.mul_f64(1.0 - chance() / 4.0).max(WAIT_MIN)
    }
}

/// A number in 0..1, another one each time.
pub(super) fn chance() -> f64 {
    (RandomState::new().hash_one(0_u8) >> 11) as f64 / (1_u64 << 53) as f64
}

const LOGIN: &str = "the broker refuses user or password; check username and password_file";
const RIGHTS: &str = "the broker does not let this user in; check username, password_file and its access rules";

/// What an answer to the login of MQTT 3.1.1 means.
pub(super) fn return_code(code: ConnectReturnCode, client_id: &str) -> Trouble {
    match code {
        ConnectReturnCode::UnacceptableProtocolVersion => {
            Trouble::refused("the broker does not speak MQTT 3.1.1; set mqtt_version = \"5\"")
        }
        ConnectReturnCode::IdentifierRejected => {
            Trouble::refused(format!("the broker refuses the client id {client_id:?}; set another client_id"))
        }
        ConnectReturnCode::BadUserNameOrPassword => Trouble::refused(LOGIN),
        ConnectReturnCode::NotAuthorized => Trouble::refused(RIGHTS),
        ConnectReturnCode::ServerUnavailable => Trouble::plain("the broker says that it is not available"),
        ConnectReturnCode::Accepted => Trouble::plain("the broker accepts us"),
    }
}

/// What an answer to the login of MQTT 5 means.
pub(super) fn connect_reason(code: ConnectReasonCode, client_id: &str) -> Trouble {
    match code {
        ConnectReasonCode::BadUserNameOrPassword | ConnectReasonCode::BadAuthenticationMethod => {
            Trouble::refused(LOGIN)
        }
        ConnectReasonCode::NotAuthorized | ConnectReasonCode::Banned => Trouble::refused(RIGHTS),
        ConnectReasonCode::ClientIdentifierNotValid => {
            Trouble::refused(format!("the broker refuses the client id {client_id:?}; set another client_id"))
        }
        ConnectReasonCode::UnsupportedProtocolVersion => {
            Trouble::refused("the broker does not speak MQTT 5; set mqtt_version = \"3.1.1\"")
        }
        ConnectReasonCode::RetainNotSupported => {
            Trouble::refused("the broker keeps no retained messages, which the last will is; allow them there")
        }
        ConnectReasonCode::QosNotSupported => Trouble::refused(QOS),
        ConnectReasonCode::TopicNameInvalid => {
            Trouble::refused("the broker does not allow the topic of our last will; check prefix and its access rules")
        }
        ConnectReasonCode::UseAnotherServer | ConnectReasonCode::ServerMoved => {
            Trouble::refused("the broker sends us to another one; set its address as url")
        }
        code => Trouble::plain(format!("the broker does not let us in now: {code}")),
    }
}

/// What a broker is that cannot promise delivery.
pub(super) const QOS: &str = "the broker does not take QoS 1, so events would be lost unnoticed; allow it there";

/// What a DISCONNECT of the broker's means.
pub(super) fn disconnect_reason(code: DisconnectReasonCode, client_id: &str) -> Trouble {
    match code {
        DisconnectReasonCode::SessionTakenOver => Trouble::taken_over(client_id),
        DisconnectReasonCode::NotAuthorized => Trouble::refused(RIGHTS),
        DisconnectReasonCode::AdministrativeAction => Trouble::plain("the broker's operator ended the connection"),
        DisconnectReasonCode::ServerShuttingDown => Trouble::plain("the broker shuts down"),
        DisconnectReasonCode::PacketTooLarge => Trouble::plain("the broker calls a packet of ours too large"),
        DisconnectReasonCode::QosNotSupported => Trouble::refused(QOS),
        code => Trouble::plain(format!("the broker ended the connection: {code}")),
    }
}

/// What a broker says of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It has it.
    Taken,
    /// Not now.
    Later(String),
    /// It never will.
    Never(String),
}

/// What a PUBACK of MQTT 5 means for a message on `topic`.
pub(super) fn puback_reason(code: PubackReasonCode, topic: &str) -> Verdict {
    match code {
        PubackReasonCode::Success | PubackReasonCode::NoMatchingSubscribers => Verdict::Taken,
        PubackReasonCode::NotAuthorized => Verdict::Later(format!(
            "the broker does not let this user publish to {topic}; allow it in its access rules (ACL)"
        )),
        PubackReasonCode::TopicNameInvalid => {
            Verdict::Later(format!("the broker does not allow the topic {topic}; check prefix"))
        }
        PubackReasonCode::PayloadFormatInvalid => Verdict::Never("the broker calls its content invalid".to_owned()),
        PubackReasonCode::QuotaExceeded => Verdict::Later("the broker's quota for us is used up".to_owned()),
        code => Verdict::Later(format!("the broker does not take the message: {code}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_half_a_minute_and_a_refused_login_waits_longer_from_the_start() {
        let mut backoff = Backoff::default();
        let waits: Vec<_> = (0..12).map(|_| backoff.wait(Kind::Plain).as_secs_f64()).collect();
        assert!((0.5..=0.5).contains(&waits[0]) && (0.75..=1.0).contains(&waits[1]), "{waits:?}");
        assert!(waits.iter().all(|wait| (0.5..=30.0).contains(wait)) && waits[11] >= 22.5, "{waits:?}");
        let refused: Vec<_> = (0..6).map(|_| backoff.wait(Kind::Refused).as_secs_f64()).collect();
        assert!(refused[0] >= 22.5 && refused[5] >= 225.0 && refused[5] <= 300.0, "{refused:?}");
        backoff.reset();
        assert!(backoff.wait(Kind::Plain).as_secs_f64() <= 0.5);
    }
}
