use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use crate::provider::CUDA;
use crate::{Error, Provider};

/// Which provider ran how many nodes of which kind, as ONNX Runtime's profiler recorded it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placement {
    /// Provider, kind of node, how many.
    nodes: BTreeMap<String, BTreeMap<String, usize>>,
}

impl Placement {
    /// Reads the profile of one run, in Chrome's trace event format.
    pub(crate) fn of(profile: &str) -> Result<Self, Error> {
        let events: Vec<Value> = serde_json::from_str(profile).map_err(|error| Error::Profile(error.to_string()))?;
        let mut nodes: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
        for event in events.iter().filter(|event| event["cat"] == "Node") {
            // Only the events of kernels have a provider.
            if let (Some(provider), Some(kind)) =
                (event["args"]["provider"].as_str(), event["args"]["op_name"].as_str())
            {
                *nodes.entry(provider.to_owned()).or_default().entry(kind.to_owned()).or_default() += 1;
            }
        }
        Ok(Self { nodes })
    }

    /// How many nodes `provider` ran, by ONNX Runtime's name of it, such as `CUDAExecutionProvider`.
    #[must_use]
    pub fn nodes(&self, provider: &str) -> usize {
        self.nodes.get(provider).map_or(0, |kinds| kinds.values().sum())
    }

    /// Holds it against what was asked for.
    pub(crate) fn check(&self, asked: &Provider) -> Result<(), Error> {
        let foreign = |id: &str| id != asked.id() && !(matches!(asked, Provider::Tensorrt(_)) && id == CUDA);
        let elsewhere = Self {
            nodes: self
                .nodes
                .iter()
                .filter(|(id, _)| foreign(id))
                .map(|(id, kinds)| (id.clone(), kinds.clone()))
                .collect(),
        };
        if !elsewhere.nodes.is_empty() {
            let found = format!("{elsewhere} ran elsewhere");
            return Err(Error::Placement { provider: asked.name(), found, next: fixed_sizes() });
        }
        if self.nodes(asked.id()) == 0 {
            let found =
                if self.nodes.is_empty() { "it ran nothing at all".into() } else { format!("all ran on {self}") };
            let next = match asked {
                Provider::Cuda => "look at ONNX Runtime's log",
                Provider::Tensorrt(_) => {
                    "TensorRT took no node of it: look at ONNX Runtime's log, or use the CUDA provider"
                }
            };
            return Err(Error::Placement { provider: asked.name(), found, next: next.to_owned() });
        }
        Ok(())
    }
}

pub(crate) fn fixed_sizes() -> String {
    "what is left for the CPU is mostly arithmetic on open dimensions: export the model with fixed ones".to_owned()
}

impl fmt::Display for Placement {
    /// `CUDA 55 (Conv 30, Relu 25), CPU 1 (Shape 1)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (id, kinds)) in self.nodes.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            let mut list: Vec<_> = kinds.iter().collect();
            list.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
            let more = if list.len() > 4 { ", ..." } else { "" };
            let list: Vec<String> = list.into_iter().take(4).map(|(kind, count)| format!("{kind} {count}")).collect();
            let name = id.strip_suffix("ExecutionProvider").unwrap_or(id);
            write!(f, "{comma}{name} {} ({}{more})", self.nodes(id), list.join(", "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(nodes: &[(&str, &str)]) -> Placement {
        let mut events = vec![serde_json::json!({"cat": "Session", "name": "model_run", "args": {}})];
        for (kind, provider) in nodes {
            events.push(serde_json::json!({"cat": "Node", "name": "x_fence_before", "args": {"op_name": kind}}));
            let args = serde_json::json!({"op_name": kind, "provider": provider});
            events.push(serde_json::json!({"cat": "Node", "name": "x_kernel_time", "args": args}));
        }
        Placement::of(&Value::Array(events).to_string()).expect("a profile")
    }

    fn refusal(placement: &Placement, asked: &Provider) -> String {
        placement.check(asked).expect_err("must be refused").to_string()
    }

    const CPU: &str = "CPUExecutionProvider";
    const TRT: &str = crate::provider::TENSORRT;

    #[test]
    fn a_provider_that_ran_every_node_is_what_was_asked_for() {
        let placement = profile(&[("Conv", CUDA), ("Conv", CUDA), ("Relu", CUDA)]);
        placement.check(&Provider::Cuda).expect("all on CUDA");
        assert_eq!(placement.to_string(), "CUDA 3 (Conv 2, Relu 1)");
        let placement = profile(&[("TRTKernel_graph_0", TRT), ("TopK", CUDA)]);
        placement.check(&Provider::Tensorrt(Default::default())).expect("CUDA may help TensorRT");
    }

    #[test]
    fn one_node_on_the_cpu_is_one_too_many() {
        let placement = profile(&[("Conv", CUDA), ("Shape", CPU)]);
        let words = refusal(&placement, &Provider::Cuda);
        assert!(words.contains("CUDA provider: CPU 1 (Shape 1) ran elsewhere"), "{words}");
        let placement = profile(&[("TRTKernel_graph_0", TRT), ("Gather", CPU)]);
        let words = refusal(&placement, &Provider::Tensorrt(Default::default()));
        assert!(words.contains("CPU 1 (Gather 1)"), "{words}");
    }

    #[test]
    fn a_provider_that_ran_nothing_is_refused() {
        let cuda_only = profile(&[("Conv", CUDA)]);
        let words = refusal(&cuda_only, &Provider::Tensorrt(Default::default()));
        assert!(words.contains("all ran on CUDA 1 (Conv 1)") && words.contains("TensorRT took no node"), "{words}");
        let tensorrt = profile(&[("TRTKernel_graph_0", TRT)]);
        assert!(refusal(&tensorrt, &Provider::Cuda).contains("Tensorrt 1"), "CUDA was asked for");
        assert!(refusal(&profile(&[]), &Provider::Cuda).contains("nothing at all"));
        assert!(Placement::of("[{").is_err());
    }
}
