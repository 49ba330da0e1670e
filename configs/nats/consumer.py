"""Reads the events of all devices from NATS JetStream, each once, and tells of every number that is missing.

    pip install nats-py
    NATS_PASSWORD=... python3 consumer.py nats://127.0.0.1:4222
"""

import asyncio, json, os, sys
import nats


async def main(url):
    connection = await nats.connect(url, user=os.environ.get("NATS_USER", "consumer"), password=os.environ.get("NATS_PASSWORD"))
    events = await connection.jetstream().pull_subscribe("watchkeeper.events.>", durable="example", stream="watchkeeper")
    last, missing = {}, set()  # keep them where the events go, to know them after a restart too
    while True:
        try:
            messages = await events.fetch(100, timeout=5)
        except nats.errors.TimeoutError:
            continue
        for message in messages:
            event = json.loads(message.data)
            device, seq = event["device"], event["seq"]
            before = last.get(device, seq - 1)
            if seq > before + 1:
                missing.update((device, n) for n in range(before + 1, seq))
                print(f"{device}: {before + 1}..{seq - 1} missing", file=sys.stderr)
            if seq > before or (device, seq) in missing:  # else it came twice
                print(f"{device} {seq} {event['type']} {event.get('camera', '')}", flush=True)
                missing.discard((device, seq))
                last[device] = max(before, seq)
            await message.ack()  # after the event is safe where it goes


asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "nats://127.0.0.1:4222"))
