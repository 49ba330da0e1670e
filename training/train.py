"""Trains the models: `train.py scene` (detection, pose and segmentation together) or `train.py reid`.

The learning rate follows a cosine over --minutes, so that a run always ends well trained for its budget.
Under `torchrun --nproc-per-node N` the processes share the work: each draws its own batches, gradients are averaged.
On a CPU, N processes of one thread are faster than one process of N threads, above all on a machine that is not idle.
"""

import argparse
import copy
import math
import os
import time
from pathlib import Path

import torch
from torch import distributed

import evaluate
import export
import reid
import warm
from data import Scenes, build_cache, collate, seeds_in
from loss import scene_loss
from model import TASKS, ReidModel, SceneModel
from muon import Muon


class Run:
    """What both trainings share: device, optimiser, schedule, moving average of the weights, checkpoints."""

    def __init__(self, model, args, lr: float):
        auto = "cuda" if torch.cuda.is_available() else "cpu"
        self.device = torch.device(auto if args.device == "auto" else args.device)
        self.rank, self.world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
        if self.world > 1:
            distributed.init_process_group("gloo")
        self.model = model.to(self.device, memory_format=torch.channels_last)
        self.ema = copy.deepcopy(self.model).eval().requires_grad_(False)
        self.forward = torch.compile(self.model.train()) if args.compile else self.model.train()
        self.parameters = list(self.model.parameters())
        matrices = {"params": [p for p in self.parameters if p.ndim > 1], "weight_decay": 0.02}
        rest = {"params": [p for p in self.parameters if p.ndim <= 1], "weight_decay": 0.0}
        if args.optimiser == "muon":
            self.optimisers = [Muon([matrices], lr), torch.optim.AdamW([rest], lr)]
        else:
            self.optimisers = [torch.optim.AdamW([matrices, rest], lr)]
        self.lr, self.budget, self.path = lr, args.minutes * 60, Path(args.out) / f"{args.kind}.pt"
        self.every, self.elapsed, self.steps, self.saved = args.save_minutes * 60, 0.0, 0, 0.0
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if args.resume and self.path.exists():
            state = torch.load(self.path, map_location=self.device, weights_only=True)
            self.model.load_state_dict(state["model"]), self.ema.load_state_dict(state["ema"])
            for optimiser, saved in zip(self.optimisers, state["optimisers"], strict=True):
                optimiser.load_state_dict(saved)
            self.elapsed, self.steps, self.saved = state["elapsed"], state["steps"], state["elapsed"]
        if self.world > 1:
            for value in self.model.state_dict().values():
                distributed.broadcast(value, 0)
            torch.manual_seed(time.time_ns() + self.rank)
        self.last = time.monotonic()

    @property
    def progress(self) -> float:
        return min(1.0, self.elapsed / self.budget)

    def step(self, loss):
        """One update of the weights and of their average; false once the budget is spent."""
        warm = min(1.0, (self.steps + 1) / 300)
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = self.lr * warm * (0.01 + 0.99 * (1 + math.cos(math.pi * self.progress)) / 2)
            optimiser.zero_grad(set_to_none=True)
        loss.backward()
        now = time.monotonic()
        self.elapsed, self.last = self.elapsed + now - self.last, now
        if self.world > 1:
            self._share()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 10.0)
        for optimiser in self.optimisers:
            optimiser.step()
        self.steps += 1
        keep = min(0.998, self.steps / (self.steps + 20))
        with torch.no_grad():
            for mean, new in zip(self.ema.state_dict().values(), self.model.state_dict().values()):
                mean.lerp_(new, 1 - keep) if mean.is_floating_point() else mean.copy_(new)
        return self.elapsed < self.budget

    def _share(self):
        """Averages the gradients over the processes; the first one's clock becomes everyone's."""
        grads = [p.grad for p in self.parameters if p.grad is not None]
        clock = grads[0].new_tensor([self.elapsed * self.world if self.rank == 0 else 0.0])
        flat = torch.cat([g.flatten() for g in grads] + [clock])
        distributed.all_reduce(flat)
        flat /= self.world
        for grad, mean in zip(grads, flat[:-1].split([g.numel() for g in grads])):
            grad.copy_(mean.view_as(grad))
        self.elapsed = flat[-1].item()

    def checkpoint_due(self, going: bool) -> bool:
        """Whether this process shall save and validate now."""
        return self.rank == 0 and (not going or self.elapsed - self.saved > self.every)

    def save(self, **more):
        """Writes the checkpoint; the time spent on it and on validation is not taken from the budget."""
        self.saved = self.elapsed
        parts = {"model": self.model.state_dict(), "ema": self.ema.state_dict()}
        parts["optimisers"] = [optimiser.state_dict() for optimiser in self.optimisers]
        torch.save({**parts, **more, "elapsed": self.elapsed, "steps": self.steps}, self.path)

    def mixed(self):
        """bfloat16 arithmetic where the device has it."""
        return torch.autocast(self.device.type, dtype=torch.bfloat16)


def train_scene(args):
    """Trains trunk and heads of `--tasks` together, validates and exports at every checkpoint."""
    build_cache(args.data, *args.seeds, Path(args.cache) / "scene")
    scenes = Scenes(Path(args.cache) / "scene")
    model = SceneModel(args.tasks)
    if args.init:
        some = collate([scenes[i] for i in range(0, len(scenes), max(1, len(scenes) // 32))])
        warm.start(model, args.init, some["images"].float() / 255)
    run = Run(model, args, lr=2e-3)
    loader = torch.utils.data.DataLoader(
        scenes, args.batch, sampler=scenes.sampler(), drop_last=True, collate_fn=collate, num_workers=args.workers,
        persistent_workers=args.workers > 0,
    )  # fmt: skip

    def checkpoint():
        run.save(kind="scene", tasks=args.tasks)
        out = Path(args.out) / "onnx"
        export.export_scene(copy.deepcopy(run.ema), out)
        print("validation", evaluate.scene(out, seeds_in(args.data, *args.validation)), flush=True)
        run.last = time.monotonic()

    sums, going = {}, True
    while going:
        for batch in loader:
            batch = {name: value.to(run.device, non_blocking=True) for name, value in batch.items()}
            with run.mixed():
                raw = run.forward(batch["images"].float() / 255)
            loss, parts = scene_loss(run.model, raw, batch)
            going = run.step(loss)
            for name, part in parts.items():
                sums[name] = sums.get(name, 0.0) + part.item() / 100
            if run.steps % 100 == 0 and run.rank == 0:
                text = " ".join(f"{name} {value:.3f}" for name, value in sums.items())
                print(f"{run.elapsed / 60:.1f} min, step {run.steps}: {text}", flush=True)
                sums.clear()
            scenes.calm.value = run.progress > 0.85
            if run.checkpoint_due(going):
                checkpoint()
            if not going:
                break


def train_reid(args):
    """Trains the appearance embedding, validates and exports at every checkpoint."""
    crops = reid.Crops(reid.build_cache(args.data, *args.seeds, Path(args.cache) / "reid"))
    held_out = reid.build_cache(args.data, *args.validation, Path(args.cache) / "reid-validation")
    run = Run(ReidModel(), args, lr=2e-3)
    loader = torch.utils.data.DataLoader(
        crops, batch_sampler=reid.Batches(crops), num_workers=args.workers, persistent_workers=args.workers > 0
    )

    def checkpoint():
        run.save(kind="reid")
        export.export_reid(copy.deepcopy(run.ema), Path(args.out) / "onnx")
        print("validation", reid.evaluate(Path(args.out) / "onnx" / "reid.onnx", held_out), flush=True)
        run.last = time.monotonic()

    total, going = 0.0, True
    while going:
        for images, identities in loader:
            with run.mixed():
                images = images.to(run.device).permute(0, 3, 1, 2).float() / 255
                embedding = run.forward(images)
            loss = reid.loss(embedding.float(), identities.to(run.device))
            going = run.step(loss)
            total += loss.item() / 200
            if run.steps % 200 == 0 and run.rank == 0:
                print(f"{run.elapsed / 60:.1f} min, step {run.steps}: loss {total:.3f}", flush=True)
                total = 0.0
            if run.checkpoint_due(going):
                checkpoint()
            if not going:
                break


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=("scene", "reid"))
    parser.add_argument("--data", required=True, help="folder of seed-* folders")
    parser.add_argument("--cache", required=True, help="folder for the resized pictures")
    parser.add_argument("--out", required=True, help="folder for checkpoints and ONNX files")
    parser.add_argument("--seeds", type=int, nargs=2, default=(1000, 999999), help="first and last training seed")
    parser.add_argument("--validation", type=int, nargs=2, default=(21, 29), help="first and last validation seed")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--minutes", type=float, default=45, help="time for training; the schedule spans it")
    parser.add_argument("--save-minutes", type=float, default=8, help="time between checkpoints")
    parser.add_argument("--batch", type=int, default=16, help="pictures per process and step")
    parser.add_argument("--workers", type=int, default=0, help="loader processes; 0 is best on a CPU")
    parser.add_argument("--threads", type=int, default=int(os.environ.get("OMP_NUM_THREADS", os.cpu_count())))
    parser.add_argument("--device", default="auto")
    parser.add_argument("--init", metavar="ENGINES", help="begin from the ONNX files of ENGINES (scene only)")
    parser.add_argument("--compile", action="store_true", help="fuse operators: minutes at the start, a fifth faster")
    parser.add_argument("--optimiser", choices=("adamw", "muon"), default="muon")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    args = parser.parse_args()
    torch.set_flush_denormal(True)
    torch.set_num_threads(args.threads)
    (train_scene if args.kind == "scene" else train_reid)(args)


if __name__ == "__main__":
    main()
