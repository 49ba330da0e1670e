//! Packets of MQTT 3.1.1 and 5, behind one face.

use mqtt_protocol_core::mqtt::packet::{Packet, Property, Qos, SubEntry, SubOpts, v3_1_1, v5_0};
use mqtt_protocol_core::mqtt::result_code::MqttError;

use super::trouble::{self, Trouble, Verdict};
use crate::config::{Mqtt, MqttVersion};

/// A message to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) topic: String,
    pub(super) payload: Vec<u8>,
    pub(super) retain: bool,
}

impl Message {
    /// One that the broker keeps for whoever comes later; an empty one makes it forget.
    pub(super) fn retained(topic: impl Into<String>, payload: impl Into<Vec<u8>>) -> Self {
        Self { topic: topic.into(), payload: payload.into(), retain: true }
    }
}

/// What the broker allows, as it said when it let us in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    /// Messages of QoS 1 that may wait for their acknowledgement.
    pub(super) inflight: u16,
    /// Bytes of one packet.
    pub(super) packet: u32,
    /// It keeps retained messages.
    pub(super) retain: bool,
    /// What it wants instead of our keep-alive, seconds.
    pub(super) keep_alive: Option<u16>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { inflight: u16::MAX, packet: 268_435_455, retain: true, keep_alive: None }
    }
}

/// What came from the broker.
pub(super) enum Received {
    Welcome(Limits),
    Refused(Trouble),
    /// Acknowledged, or not; the packet's id.
    Ack(u16, Ack),
    /// Subscriptions, in order: granted?
    Subscribed(Vec<bool>),
    Message {
        topic: String,
        payload: Vec<u8>,
        retain: bool,
    },
    Ended(Trouble),
    /// The answer to a ping.
    Pong,
    Other,
}

/// An acknowledgement whose topic is not known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ack {
    Taken,
    V5(mqtt_protocol_core::mqtt::result_code::PubackReasonCode),
}

impl Ack {
    pub(super) fn verdict(self, topic: &str) -> Verdict {
        match self {
            Self::Taken => Verdict::Taken,
            Self::V5(code) => trouble::puback_reason(code, topic),
        }
    }
}

/// The login, with the last will. Nothing is kept for us between connections: the outbox hands over again.
pub(super) fn connect(mqtt: &Mqtt, will: &Message) -> Result<Packet, MqttError> {
    let seconds = u16::try_from(mqtt.keep_alive.as_secs()).unwrap_or(u16::MAX).max(1);
    let login = mqtt.server.login.as_ref();
    macro_rules! build {
        ($module:ident) => {{
            let mut packet = $module::Connect::builder()
                .client_id(mqtt.client_id.as_str())?
                .clean_start(true)
                .keep_alive(seconds)
                .will_message(will.topic.as_str(), &will.payload, Qos::AtLeastOnce, will.retain)?;
            if let Some(login) = login {
                packet = packet.user_name(login.username.as_str())?.password(login.password.expose())?;
            }
            packet.build()?.into()
        }};
    }
    Ok(match mqtt.version {
        MqttVersion::V311 => build!(v3_1_1),
        MqttVersion::V5 => build!(v5_0),
    })
}

/// With a packet id: QoS 1.
pub(super) fn publish(version: MqttVersion, message: Message, packet_id: Option<u16>) -> Result<Packet, MqttError> {
    macro_rules! build {
        ($module:ident) => {{
            let packet =
                $module::Publish::builder().topic_name(message.topic)?.retain(message.retain).payload(message.payload);
            match packet_id {
                Some(id) => packet.qos(Qos::AtLeastOnce).packet_id(id),
                None => packet.qos(Qos::AtMostOnce),
            }
            .build()?
            .into()
        }};
    }
    Ok(match version {
        MqttVersion::V311 => build!(v3_1_1),
        MqttVersion::V5 => build!(v5_0),
    })
}

/// All with QoS 0.
pub(super) fn subscribe(version: MqttVersion, topics: &[String], packet_id: u16) -> Result<Packet, MqttError> {
    let entries =
        topics.iter().map(|topic| SubEntry::new(topic.as_str(), SubOpts::new())).collect::<Result<Vec<_>, _>>()?;
    Ok(match version {
        MqttVersion::V311 => v3_1_1::Subscribe::builder().packet_id(packet_id).entries(entries).build()?.into(),
        MqttVersion::V5 => v5_0::Subscribe::builder().packet_id(packet_id).entries(entries).build()?.into(),
    })
}

/// The broker forgets the last will.
pub(super) fn disconnect(version: MqttVersion) -> Result<Packet, MqttError> {
    Ok(match version {
        MqttVersion::V311 => v3_1_1::Disconnect::builder().build()?.into(),
        MqttVersion::V5 => v5_0::Disconnect::builder().build()?.into(),
    })
}

/// What a packet of the broker's says.
pub(super) fn read(packet: Packet, client_id: &str) -> Received {
    match packet {
        Packet::V3_1_1Connack(packet) => {
            let code = packet.return_code();
            if code.is_success() {
                Received::Welcome(Limits::default())
            } else {
                Received::Refused(trouble::return_code(code, client_id))
            }
        }
        Packet::V5_0Connack(packet) => {
            let code = packet.reason_code();
            if code == mqtt_protocol_core::mqtt::result_code::ConnectReasonCode::Success {
                limits(packet.props())
            } else {
                Received::Refused(trouble::connect_reason(code, client_id))
            }
        }
        Packet::V3_1_1Puback(packet) => Received::Ack(packet.packet_id(), Ack::Taken),
        Packet::V5_0Puback(packet) => {
            Received::Ack(packet.packet_id(), packet.reason_code().map_or(Ack::Taken, Ack::V5))
        }
        Packet::V3_1_1Suback(packet) => {
            Received::Subscribed(packet.return_codes().iter().map(|code| code.is_success()).collect())
        }
        Packet::V5_0Suback(packet) => {
            Received::Subscribed(packet.reason_codes().iter().map(|code| code.is_success()).collect())
        }
        Packet::V3_1_1Publish(packet) => Received::Message {
            topic: packet.topic_name().to_owned(),
            payload: packet.payload().as_slice().to_vec(),
            retain: packet.retain(),
        },
        Packet::V5_0Publish(packet) => Received::Message {
            topic: packet.topic_name().to_owned(),
            payload: packet.payload().as_slice().to_vec(),
            retain: packet.retain(),
        },
        Packet::V5_0Disconnect(packet) => Received::Ended(packet.reason_code().map_or_else(
            || Trouble::plain("the broker ended the connection"),
            |code| trouble::disconnect_reason(code, client_id),
        )),
        Packet::V3_1_1Pingresp(_) | Packet::V5_0Pingresp(_) => Received::Pong,
        _ => Received::Other,
    }
}

fn limits(properties: &[Property]) -> Received {
    let mut limits = Limits::default();
    for property in properties {
        match property {
            Property::ReceiveMaximum(value) => limits.inflight = value.val().max(1),
            Property::MaximumPacketSize(value) => limits.packet = value.val(),
            Property::RetainAvailable(value) => limits.retain = value.val() != 0,
            Property::ServerKeepAlive(value) => limits.keep_alive = Some(value.val()),
            Property::MaximumQos(value) if value.val() == 0 => {
                return Received::Refused(Trouble::refused(trouble::QOS));
            }
            _ => {}
        }
    }
    Received::Welcome(limits)
}
