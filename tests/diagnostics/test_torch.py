"""The PyTorch door: the numbers of the JAX functions on the same weights, and what a user may get wrong."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from step_size_cases import downhill, formula_data, formula_network, half_square, layers_of

import thalweg as tw

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

import thalweg.torch as door  # noqa: E402

d = tw.diagnostics
NET, DATA = formula_network(), formula_data(0, 5)
STATES = layers_of((jnp.tanh, jnp.tanh, lambda z: z))
LOSS = half_square(STATES)


def module(*between):
    """The formula network as a module of float64, with these modules between its layers."""
    layers = [nn.Linear(w.shape[0], w.shape[1]) for w, _ in NET]
    model = nn.Sequential(layers[0], nn.Tanh(), layers[1], *(between or [nn.Tanh()]), layers[2]).double()
    with torch.no_grad():
        for layer, (weights, bias) in zip(layers, NET, strict=True):
            layer.weight.copy_(torch.tensor(weights.T))
            layer.bias.copy_(torch.tensor(bias))
    return model


def tensors(data):
    return tuple(torch.tensor(part) for part in data)


def square(told, wanted):
    return 0.5 * torch.mean(torch.sum((told - wanted) ** 2, dim=1))


MODEL, BATCH = module(), tensors(DATA)
DOWN = door.descent(MODEL, square, BATCH)


@pytest.fixture(scope="module")
def down():
    with jax.enable_x64():
        return downhill(LOSS, NET, DATA)


def test_the_same_linear_range(down):
    for options in ({"threshold": (0.1, 1.0), "method": "root"}, {"threshold": 0.3, "denominator": "tangent"}):
        told = d.linear_range(STATES, NET, DATA[0], down, **options)
        found = door.linear_range(MODEL, BATCH[0], DOWN, **options)
        np.testing.assert_allclose(found.step, told.step, rtol=1e-9)
        np.testing.assert_allclose(found.per_layer, told.per_layer, rtol=1e-7)
        np.testing.assert_allclose(found.nonlinearity([0.01, 1.0]), told.nonlinearity([0.01, 1.0]), rtol=1e-7)
        np.testing.assert_array_equal(found.dead_units, told.dead_units)
    assert found.curve.bend() == pytest.approx(told.curve.bend(), rel=1e-9)
    listed = [DOWN[name] for name, _ in MODEL.named_parameters()]
    assert door.linear_range(MODEL, BATCH[0], listed).step == door.linear_range(MODEL, BATCH[0], DOWN).step


def test_the_same_suggestion():
    mini = [formula_data(2 * k, 2 * k + 2) for k in range(12)]
    told = d.suggest_learning_rate(LOSS, NET, mini, STATES, last=8, before=2, after=2)
    found = door.suggest_learning_rate(MODEL, square, map(tensors, mini), last=8, before=2, after=2)
    np.testing.assert_allclose(found.values, told.values, rtol=1e-9)
    assert found.step == pytest.approx(told.step, rel=1e-9)


def test_the_same_curvatures(down):
    told, found = d.sharpness(LOSS, NET, DATA, tolerance=1e-10), door.sharpness(MODEL, square, BATCH, tolerance=1e-10)
    assert found.value == pytest.approx(told.value, rel=1e-9)
    vector = np.concatenate([leaf.numpy().T.ravel() for leaf in found.vector.values()])
    ours = np.concatenate([np.ravel(leaf) for layer in told.vector for leaf in layer])
    assert abs(vector @ ours) == pytest.approx(1.0, abs=1e-8)
    again = door.sharpness(MODEL, square, BATCH, start=found)
    assert again.products < found.products
    assert again.value == pytest.approx(told.value, rel=1e-5)
    assert door.curvature(MODEL, square, BATCH, DOWN) == pytest.approx(d.curvature(LOSS, NET, DATA, down), rel=1e-10)
    gauss = d.gauss_newton_sharpness(
        lambda p, x: STATES(p, x)[-1], lambda a, b: 0.5 * jnp.mean(jnp.sum((a - b) ** 2, axis=1)), NET, DATA
    )
    assert door.gauss_newton_sharpness(MODEL, square, BATCH).value == pytest.approx(gauss.value, rel=1e-5)
    scale = [(0.5 + np.abs(w), 0.5 + np.abs(b)) for w, b in NET]
    listed = [torch.tensor(leaf.T) for layer in scale for leaf in layer]
    told = d.sharpness(LOSS, NET, DATA, preconditioner=scale)
    assert door.sharpness(MODEL, square, BATCH, preconditioner=listed).value == pytest.approx(told.value, rel=1e-4)


def test_what_is_linear_has_no_end_in_single_precision():
    model = nn.Linear(40, 30)
    inputs = torch.ones(7, 40)
    step = [torch.ones_like(leaf) for leaf in model.parameters()]
    for options in ({"start_step": 1e-6}, {}, {"method": "root"}):
        assert door.linear_range(model, inputs, step, **options).step == np.inf
    small = module().float()
    way = [DOWN[name].float() for name in DOWN]
    with pytest.warns(UserWarning, match=r"lost in the rounding of float32; the smallest safe step is"):
        door.linear_range(small, BATCH[0].float(), way, start_step=1e-6)


def test_integer_inputs_shared_layers_and_frozen_parameters():
    """A table of words, a layer that is used twice, and a last layer that does not move."""
    torch.manual_seed(0)

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.table, self.layer, self.last = nn.Embedding(5, 4), nn.Linear(4, 4), nn.Linear(4, 2)

        def forward(self, words):
            return self.last(torch.tanh(self.layer(torch.tanh(self.layer(self.table(words))))))

    model, words = Model().double(), torch.tensor([0, 2, 4])
    model.last.requires_grad_(False)
    before = {name: leaf.clone() for name, leaf in model.state_dict().items()}
    way = door.descent(model, square, (words, torch.ones(3, 2, dtype=torch.float64)))
    assert set(way) == {"table.weight", "layer.weight", "layer.bias"}
    found = door.linear_range(model, words, way, method="root")
    assert found.per_layer.shape == (4,)
    assert np.mean(found.per_layer) == pytest.approx(1.0)
    assert all(torch.equal(before[name], leaf) for name, leaf in model.state_dict().items())
    assert not any(part._forward_pre_hooks for part in model.modules())
    own = door.linear_range(model, words, way, states=lambda m, p, x: door.layer_states(m, p, x)[-1:])
    assert own.per_layer.shape == (1,)


def test_a_training_mode_is_refused():
    for between in (nn.Dropout(0.3), nn.BatchNorm1d(4)):
        model = module(nn.Tanh(), between)
        way = {name: torch.ones_like(leaf) for name, leaf in model.named_parameters()}
        with pytest.raises(ValueError, match=r"training mode: 4 .* model.eval\(\)"):
            door.linear_range(model, BATCH[0], way)
        assert door.linear_range(model.eval(), BATCH[0], way).step > 0
    assert door.linear_range(module(nn.Tanh(), nn.Dropout(0.0)), BATCH[0], list(DOWN.values())).step > 0


def test_bad_input():
    def fails(words, model=MODEL, inputs=BATCH[0], direction=DOWN, **options):
        with pytest.raises(ValueError, match=words):
            door.linear_range(model, inputs, direction, **options)

    fails("one tensor", direction=list(DOWN.values())[:2])
    fails("one tensor for each parameter", direction=torch.ones(3))
    fails("shape", direction={name: leaf[:1] for name, leaf in DOWN.items()})
    fails("direction of .* NaN", direction={name: leaf * np.nan for name, leaf in DOWN.items()})
    fails("the batch is empty|give some samples", inputs=BATCH[0][:0])
    fails("threshold", threshold=-1.0)
    fails("no state depends", states=lambda m, p, x: [x])
    broken = module()
    with torch.no_grad():
        broken[0].bias[0] = np.nan
    fails("0.bias has entries that are NaN", model=broken)
    fails("nothing to move", model=module().requires_grad_(False))
    whole = nn.Linear(3, 2)
    whole.weight = nn.Parameter(torch.ones(2, 3, dtype=torch.int64), requires_grad=False)
    fails("weight is of type torch.int64", model=whole)
    for call in (door.sharpness, door.descent):
        with pytest.raises(ValueError, match=r"pair \(inputs, targets\)"):
            call(MODEL, square, BATCH[0])
        with pytest.raises(ValueError, match="return one number"):
            call(MODEL, lambda a, b: a - b, BATCH)
    with pytest.raises(ValueError, match="direction is zero"):
        door.curvature(MODEL, square, BATCH, {name: 0 * leaf for name, leaf in DOWN.items()})
    with pytest.raises(ValueError, match="same module"):
        door.sharpness(MODEL, square, BATCH, start=door.sharpness(whole_linear(), square, BATCH))
    with pytest.raises(ValueError, match="the loss is nan"):
        door.sharpness(MODEL, lambda a, b: torch.log(-torch.sum(a**2)), BATCH)


def whole_linear():
    return nn.Linear(3, 2).double()


def test_a_module_as_a_problem():
    """Descent in PyTorch, step by step, on the same data; a module in two parts, without a bias here and there."""
    inner = nn.Sequential(nn.Linear(4, 4, bias=False), nn.Sigmoid())
    model = nn.Sequential(nn.Linear(3, 4), act := nn.Tanh(), inner, nn.Linear(4, 2), nn.Identity()).double()
    problem = door.network_problem(model, BATCH, rule=tw.GradientDescent(0.1), weight_decay=0.01)
    seen = tw.train(problem, [0, 1, 5], seeds=2)
    final = tw.replay(problem, [0, 5])
    losses = []
    for _ in range(6):
        loss = square(model(BATCH[0]), BATCH[1])
        losses.append(float(loss.detach()))
        penalty = 0.005 * sum((leaf**2).sum() for leaf in model.parameters())
        slopes = torch.autograd.grad(loss + penalty, list(model.parameters()))
        if len(losses) < 6:
            with torch.no_grad():
                for leaf, slope in zip(model.parameters(), slopes, strict=True):
                    leaf -= 0.1 * slope
    np.testing.assert_allclose(seen.train_loss, [np.asarray(losses)[[0, 1, 5]]] * 2, rtol=1e-10)
    assert set(final) == {name for name, _ in model.named_parameters()}
    for name, leaf in model.named_parameters():
        np.testing.assert_allclose(final[name], leaf.detach().numpy(), rtol=1e-9)
    twice = nn.Sequential(nn.Linear(3, 4), act, nn.Linear(4, 4), act, nn.Linear(4, 2)).double()
    told = tw.train(door.network_problem(twice, BATCH), [0]).train_loss[0, 0]
    assert float(told) == pytest.approx(float(square(twice(BATCH[0]), BATCH[1]).detach()), rel=1e-10)
    single = door.network_problem(nn.Linear(3, 2), tensors([part.astype(np.float32) for part in DATA]))
    assert tw.replay(single, [0])["weight"].dtype == np.float64


def test_a_module_that_is_not_read():
    def fails(words, model=MODEL, **options):
        with pytest.raises(ValueError, match=words):
            door.network_problem(model, BATCH, **options)

    fails(
        "1 is a GELU, which is not read into JAX; known are Sequential, Linear",
        nn.Sequential(nn.Linear(3, 2), nn.GELU()),
    )
    fails("the module is a Embedding", nn.Embedding(3, 2))
    layer = nn.Linear(3, 3)
    fails("1.weight is that of another layer", nn.Sequential(layer, layer, nn.Linear(3, 2)))
    fails("0.weight is frozen", module().requires_grad_(False))
    fails("MSELoss is PyTorch's", loss=nn.MSELoss())
    fails("outputs have the shape", nn.Linear(3, 4))
