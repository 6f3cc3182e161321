"""Every recipe of the page "In your framework" runs as printed, and equals a loop by hand."""

import importlib
import sys
import types
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import cdg_torch
from tests.tools.recipes import H0, HOWTO, LOADER, by_hand, clip, run_recipe, untested
from tests.tools.small_training import network, same
from tests.tools.training_loops import attached_network, train

PAGE = HOWTO / "frameworks.md"
run = partial(run_recipe, PAGE)
# What a framework deprecates in its own dependencies is not ours to fix.
framework = pytest.mark.filterwarnings("ignore")


@framework
def test_lightning(tmp_path) -> None:
    lightning = pytest.importorskip("lightning")
    silent = ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary")
    options = {"accelerator": "cpu", "devices": 1, "default_root_dir": tmp_path}
    options |= dict.fromkeys(silent, False)
    # Lightning takes a list of batches for a list of loaders.
    names = {"lightning": lightning, "loader": DataLoader(LOADER, batch_size=None)}

    def trained(**more):
        return run("Lightning", trainer_options={**options, **more}, **names)["model"]

    accumulated = run_recipe(HOWTO / "training-loop.md", "Gradient accumulation")["model"]
    assert same(trained(), by_hand())
    assert same(trained(gradient_clip_val=1.0), by_hand(before=[clip]))
    assert same(trained(accumulate_grad_batches=2), accumulated)


@framework
def test_fabric() -> None:
    lightning = pytest.importorskip("lightning")
    assert same(run("Lightning Fabric", lightning=lightning)["model"], by_hand())


@framework
def test_accelerate() -> None:
    accelerate = pytest.importorskip("accelerate")
    space = run("Hugging Face Accelerate", accelerate=accelerate)
    assert same(space["model"], by_hand())
    with pytest.raises(TypeError, match="AcceleratedOptimizer wraps another optimizer"):
        cdg_torch.attach(space["optimizer"], space["model"], H0)


class WithLoss(nn.Module):
    """Speaks the Trainer's language: a loss among the outputs."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, inputs, labels):
        return {"loss": nn.functional.cross_entropy(self.net(inputs), labels)}


@framework
def test_hugging_face_trainer(tmp_path) -> None:
    pytest.importorskip("accelerate")
    transformers = pytest.importorskip("transformers")
    inputs, labels = LOADER[0]
    rows = [{"inputs": x, "labels": y} for x, y in zip(inputs, labels, strict=True)]
    arguments = {"output_dir": str(tmp_path), "per_device_train_batch_size": len(rows)}
    arguments |= {"num_train_epochs": 4, "learning_rate": 0.05, "max_grad_norm": 0.0}
    arguments |= {"use_cpu": True, "report_to": [], "save_strategy": "no", "disable_tqdm": True}
    names = {"transformers": transformers, "with_loss": WithLoss, "arguments": arguments}
    found = run("Hugging Face Trainer", dataset=rows, **names)

    def make(model):
        return torch.optim.SGD(model.parameters(), lr=0.05)

    expected, plain = by_hand(make, data=[LOADER[0]] * 4), network()
    train(plain, make(plain), [LOADER[0]] * 4)
    weights = [list(model.parameters()) for model in (found["model"].net, expected, plain)]
    for p, q, r in zip(*weights, strict=True):
        # The Trainer shuffles: the same batch in another order, so sums round differently.
        torch.testing.assert_close(p, q, rtol=1e-4, atol=1e-5)
        if p is found["model"].net[0].weight:
            assert (p - r).abs().max() > 1e-3


def timm_factory():
    try:
        return importlib.import_module("timm.optim").create_optimizer_v2
    except (ImportError, RuntimeError):
        # timm as a whole needs torchvision, whose wheels on PyPI do not fit a CPU-only torch. Its
        # optimizers need nothing of it: they are loaded alone, with their one import made good.
        spec = importlib.util.find_spec("timm")
        if spec is None:
            pytest.skip("timm is not installed")
        for name in [name for name in sys.modules if name.split(".")[0] == "timm"]:
            del sys.modules[name]
        package, models = types.ModuleType("timm"), types.ModuleType("timm.models")
        package.__path__ = list(spec.submodule_search_locations)
        models.group_parameters = None
        sys.modules |= {"timm": package, "timm.models": models}
        return importlib.import_module("timm.optim").create_optimizer_v2


@framework
def test_timm() -> None:
    factory = timm_factory()
    assert same(run("timm", create_optimizer_v2=factory)["model"], by_hand())
    # Optimizers that are timm's own, by the factory's names.
    for name in ("lamb", "adabelief", "lion", "nadamw", "lars"):
        make = partial(factory, opt=name, lr=0.01, weight_decay=0.0)
        model, optimizer, _ = attached_network(make, H0)
        assert type(optimizer).__module__.startswith("timm")
        train(model, optimizer, LOADER)
        assert same(model, by_hand(make)), name


INPUTS, TARGETS = (torch.cat(parts) for parts in zip(*LOADER, strict=True))


@framework
def test_skorch() -> None:
    skorch = pytest.importorskip("skorch")
    options = {"batch_size": len(LOADER[0][0]), "max_epochs": 1, "train_split": None, "verbose": 0}
    names = {"skorch": skorch, "net_options": options, "inputs": INPUTS, "targets": TARGETS}
    space = run("skorch", **names)
    assert same(space["model"], by_hand())
    net = space["net"].set_params(optimizer__momentum=0.5)  # makes the optimizer anew
    assert cdg_torch.attached(net.optimizer_).model is net.module_


@framework
def test_opacus() -> None:
    opacus = pytest.importorskip("opacus")

    def make_model():  # Opacus takes no batch norm
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv2d(2, 6, 3), nn.ReLU(), nn.Flatten(), nn.Linear(96, 3))

    def options() -> dict:
        noise = torch.Generator().manual_seed(1)
        return {"poisson_sampling": False, "noise_generator": noise}

    def loader() -> DataLoader:
        return DataLoader(TensorDataset(INPUTS, TARGETS), batch_size=4)

    names = {"opacus": opacus, "make_model": make_model, "loader": loader()}
    found = run("Opacus", options=options(), **names)["model"]

    model = make_model()
    private, optimizer, data = opacus.PrivacyEngine().make_private(
        module=model,
        optimizer=torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9),
        data_loader=loader(),
        noise_multiplier=1.0,
        max_grad_norm=1.0,
        **options(),
    )

    def transform(_) -> None:
        model[0].weight.grad = cdg_torch.riemannian_gradient(model[0].weight.grad, H0)

    # Opacus calls it between the noise and the step: on what is private already.
    optimizer.attach_step_hook(transform)
    train(private, optimizer, data)
    assert same(found, model)


@framework
def test_stable_baselines3(tmp_path) -> None:
    gymnasium = pytest.importorskip("gymnasium")
    agents = pytest.importorskip("stable_baselines3")

    class Pictures(gymnasium.Env):
        """Pictures of noise, eight to an episode."""

        observation_space = gymnasium.spaces.Box(0, 255, (36, 36, 1), np.uint8)
        action_space = gymnasium.spaces.Discrete(2)

        def reset(self, **options):
            super().reset(**options)
            self.time = 0
            return self.picture(), {}

        def picture(self):
            return self.np_random.integers(0, 256, (36, 36, 1), np.uint8)

        def step(self, action):
            self.time += 1
            return self.picture(), float(action), self.time == 8, False, {}

    checkpoint, options = tmp_path / "agent.zip", {"seed": 0, "device": "cpu"}
    small = {"n_steps": 16, "batch_size": 8, "n_epochs": 1, **options}
    agents.PPO("CnnPolicy", Pictures(), **small).save(checkpoint)

    names = {"PPO": agents.PPO, "checkpoint": checkpoint, "environment": Pictures(), "steps": 32}
    found = run("Stable-Baselines3", options=options, **names)["agent"].policy

    agent = agents.PPO.load(checkpoint, env=Pictures(), **options)

    def transform(*_) -> None:
        for module in agent.policy.modules():
            if isinstance(module, nn.Conv2d):
                grad = module.weight.grad
                module.weight.grad = cdg_torch.riemannian_gradient(grad, H0)

    agent.policy.optimizer.register_step_pre_hook(transform)
    assert cdg_torch.attached(agent.policy.optimizer) is None
    agent.learn(total_timesteps=32)
    assert same(found, agent.policy)


class OptimWrapper:
    """fastai's, as documented: around an optimizer, or what makes one of groups of parameters."""

    def __init__(self, params=None, opt=None, **kwargs):
        assert (params is None) != callable(opt)
        groups = [{"params": [*group]} for group in params]
        self.opt = opt(groups, **kwargs)

    def step(self):
        self.opt.step()

    def zero_grad(self):
        self.opt.zero_grad()


class Learner:
    """fastai's, as documented: ``opt_func(groups of parameters, lr=…)`` at the first ``fit``."""

    def __init__(self, dls, model, loss_func, *, opt_func):
        self.dls, self.model, self.loss_func, self.opt_func = dls, model, loss_func, opt_func

    def fit(self, epochs, lr):
        self.opt = self.opt_func([[*self.model.parameters()]], lr=lr)
        for inputs, targets in self.dls * epochs:
            self.loss_func(self.model(inputs), targets).backward()
            self.opt.step()
            self.opt.zero_grad()


def test_fastai() -> None:
    names = {"Learner": Learner, "OptimWrapper": OptimWrapper, "partial": partial}
    space = run("fastai", loaders=LOADER, **names)
    assert same(space["model"], by_hand())
    assert space["learner"].opt.opt.handle.is_attached


class DetectionTrainer:
    """Ultralytics', as documented: a trainer builds its model, and the optimizer by a method."""

    def __init__(self, overrides):
        self.args = overrides

    def build_optimizer(self, model, name="auto", lr=0.001, momentum=0.9):
        groups = [[p for p in model.parameters() if (p.ndim > 1) == many] for many in (True, False)]
        optimizer = getattr(torch.optim, name)(groups[0], lr=lr, momentum=momentum)
        optimizer.add_param_group({"params": groups[1]})
        return optimizer

    def train(self):
        self.model = network()
        arguments = {key: self.args[key] for key in ("lr", "momentum")}
        optimizer = self.build_optimizer(self.model, self.args["optimizer"], **arguments)
        train(self.model, optimizer, LOADER)


def test_ultralytics() -> None:
    overrides = {"optimizer": "SGD", "lr": 0.05, "momentum": 0.9}
    space = run("Ultralytics", DetectionTrainer=DetectionTrainer, overrides=overrides)
    assert same(space["model"], by_hand())


def test_every_recipe_of_the_page_has_a_test() -> None:
    assert not untested(PAGE, __file__)
