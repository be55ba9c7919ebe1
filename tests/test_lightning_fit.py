"""The segmentation fit: it learns, resumes exactly, stops early, and says how fast it was."""

import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning")

from made_up_fits import cut_after  # noqa: E402

from fetal_lib.models.diffusion import Diffusion  # noqa: E402
from fetal_lib.models.segmentation_networks import build_network  # noqa: E402
from fetal_lib.training.history import read_history  # noqa: E402
from fetal_lib.training.segmentation_loss import (  # noqa: E402
    anchored_diffusion_loss,
    bce_dice_loss,
    mean_dice,
    released_diffusion_loss,
    sampled_dice,
    soft_dice_loss,
)
from fetal_lib.training.torch_fit import fit_torch  # noqa: E402
from fetal_lib.training.torch_segmentation import Segmentation, SegmentationSettings  # noqa: E402


def discs(n=12, side=32, seed=0):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side]
    centre = rng.uniform(0.35, 0.65, (n, 2, 1, 1)) * side
    radius = rng.uniform(0.15, 0.3, (n, 1, 1)) * side
    masks = 255 * ((x - centre[:, 0]) ** 2 + (y - centre[:, 1]) ** 2 < radius**2)
    images = 0.4 * masks + rng.uniform(0, 60, masks.shape)
    return images.astype("uint8"), masks.astype("uint8")


def new_network():
    torch.manual_seed(0)
    return build_network("unet", width=0.0625, image_size=32)


SETTINGS = SegmentationSettings(epochs=4, batch_size=4, accelerator="cpu", devices=1)


@pytest.mark.slow
def test_it_learns_and_records_time_and_throughput(tmp_path):
    settings = dataclasses.replace(SETTINGS, epochs=12, learning_rate=1e-2)
    network = new_network()
    fit_torch(tmp_path, network, Segmentation(*discs(), settings, bce_dice_loss, discs(4, seed=1)))
    history = read_history(tmp_path)
    assert [row["epoch"] for row in history] == list(range(1, 13))
    assert history[-1]["val_loss"] < 0.75 * history[0]["val_loss"]
    assert all(row["seconds"] > 0 and row["images_per_s"] > 0 for row in history)
    assert not network.training
    assert {p.name for p in tmp_path.iterdir()} == {"history.jsonl", "weights.npz"}


def test_watched_dice_is_that_of_the_masks_image_by_image():
    from fetal_lib.metrics.segmentation import dice

    torch.manual_seed(0)
    true, logits = (torch.rand(3, 1, 20, 20) > 0.5).float(), torch.randn(3, 1, 20, 20)
    true[2], logits[2] = 0, -1  # nothing there, nothing found
    pairs = zip(true.bool().numpy(), (logits > 0).numpy(), strict=True)
    wanted = np.mean([dice(a[0], b[0]) for a, b in pairs])
    assert mean_dice(lambda image: logits, true, true).item() == pytest.approx(wanted)


@pytest.mark.slow
def test_the_score_is_watched_and_changes_nothing(tmp_path):
    scored, alone = new_network(), new_network()
    part = discs(4, seed=1)
    fit_torch(
        tmp_path / "a",
        scored,
        Segmentation(*discs(), SETTINGS, bce_dice_loss, part, score=mean_dice),
    )
    fit_torch(tmp_path / "b", alone, Segmentation(*discs(), SETTINGS, bce_dice_loss, part))
    assert all(0 <= row["val_score"] <= 1 for row in read_history(tmp_path / "a"))
    assert "val_score" not in read_history(tmp_path / "b")[0]
    for a, b in zip(scored.parameters(), alone.parameters(), strict=True):
        assert torch.equal(a, b)


def noisy_loss(network, image, mask):
    """A loss that draws, as those of diffusion networks do."""
    return bce_dice_loss(network, image + 0.1 * torch.randn_like(image), mask)


@pytest.mark.slow
@pytest.mark.parametrize("loss", [bce_dice_loss, noisy_loss])
def test_a_killed_fit_goes_on_to_the_very_same_weights(tmp_path, loss):
    task = Segmentation(*discs(), SETTINGS, loss, discs(4, seed=1))
    whole, killed, resumed = new_network(), new_network(), new_network()
    fit_torch(tmp_path / "whole", whole, task)
    with cut_after(3) as kill:
        fit_torch(tmp_path / "killed", killed, task, kill)
    fit_torch(tmp_path / "killed", resumed, task)
    for a, b in zip(whole.state_dict().values(), resumed.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    rows = [[r["loss"] for r in read_history(tmp_path / n)] for n in ("whole", "killed")]
    assert rows[0] == rows[1] and len(rows[0]) == 4


@pytest.mark.slow
def test_watching_a_validation_part_changes_nothing(tmp_path):
    watched, alone = new_network(), new_network()
    fit_torch(
        tmp_path / "a", watched, Segmentation(*discs(), SETTINGS, bce_dice_loss, discs(4, seed=1))
    )
    fit_torch(tmp_path / "b", alone, Segmentation(*discs(), SETTINGS, bce_dice_loss))
    for a, b in zip(watched.parameters(), alone.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.slow
def test_early_stopping_keeps_the_best_weights(tmp_path):
    settings = SegmentationSettings(
        epochs=30, batch_size=4, learning_rate=0.5, patience=2, accelerator="cpu", devices=1
    )
    network, part = new_network(), discs(4, seed=1)
    fit_torch(tmp_path, network, Segmentation(*discs(), settings, bce_dice_loss, part))
    history = read_history(tmp_path)
    assert len(history) < 30
    image, mask = (torch.from_numpy(a[:, None] / np.float32(255)) for a in part)
    with torch.no_grad():
        value = bce_dice_loss(network, image, mask).item()
    assert value == pytest.approx(min(row["val_loss"] for row in history), rel=0.02)


@pytest.mark.slow
def test_mixed_precision_trains(tmp_path):
    settings = dataclasses.replace(SETTINGS, precision="bf16-mixed")
    network = new_network()
    fit_torch(tmp_path, network, Segmentation(*discs(), settings, bce_dice_loss))
    losses = [row["loss"] for row in read_history(tmp_path)]
    assert losses[-1] < losses[0]
    assert all(p.dtype == torch.float32 for p in network.parameters())


def test_the_place_is_no_part_of_a_fit_s_key():
    elsewhere = dataclasses.replace(SETTINGS, devices=8, n_nodes=4, strategy="ddp")
    assert elsewhere.as_spec() == SETTINGS.as_spec()
    assert dataclasses.replace(SETTINGS, seed=1).as_spec() != SETTINGS.as_spec()


def test_settings_that_cannot_be_met_are_refused(tmp_path):
    stopping = SegmentationSettings(epochs=2, patience=3)
    with pytest.raises(ValueError, match="patience=3: .*validation part"):
        fit_torch(tmp_path, new_network(), Segmentation(*discs(), stopping, bce_dice_loss))
    both = dataclasses.replace(stopping, ema=0.9)
    with pytest.raises(ValueError, match="patience=3 and ema=0.9: .* set one of them to 0"):
        task = Segmentation(*discs(), both, bce_dice_loss, discs())
        fit_torch(tmp_path, new_network(), task)
    images, masks = discs()
    with pytest.raises(ValueError, match=r"masks: shape \(3, 32, 32\)"):
        Segmentation(images, masks[:3], SETTINGS, bce_dice_loss)


def test_soft_dice_of_hard_masks_is_one_minus_dice():
    torch.manual_seed(0)
    true, found = (torch.rand(2, 2, 1, 40, 40) > 0.5).float()
    overlap = 2 * (true * found).sum((2, 3)) / (true.sum((2, 3)) + found.sum((2, 3)))
    loss = soft_dice_loss(200 * found - 100, true)
    torch.testing.assert_close(loss, 1 - overlap, atol=1e-3, rtol=0)


class Oracle(torch.nn.Module):
    """Knows the mask: gives it, the shortest variance, and sure logits."""

    def __init__(self, mask):
        super().__init__()
        self.mask = mask

    def forward(self, noisy, t, image):
        signed = 2 * self.mask - 1
        return torch.cat([signed, -torch.ones_like(signed)], 1), 50 * signed


@pytest.mark.parametrize("make", [anchored_diffusion_loss, released_diffusion_loss])
def test_a_network_that_knows_the_mask_has_no_diffusion_loss(make):
    process = Diffusion(predicts="mask")
    mask = torch.from_numpy(discs(4)[1][:, None] / np.float32(255))
    torch.manual_seed(0)
    assert make(process)(Oracle(mask), mask, mask).item() < 0.01
    assert make(process)(Oracle(1 - mask), mask, mask).item() > 1


class KnowsTheMask:
    """A diffusion network that gives the mask at every step."""

    def look(self, image):
        return None

    def denoise(self, noisy, t, image, seen):
        return torch.cat([2 * image - 1, -torch.ones_like(image)], 1)


def test_a_network_that_knows_the_mask_samples_it():
    mask = torch.from_numpy(discs(4)[1][:, None] / np.float32(255))
    score = sampled_dice(Diffusion(predicts="mask"), n_steps=4)
    assert score(KnowsTheMask(), mask, mask).item() == 1
    assert score(KnowsTheMask(), 1 - mask, mask).item() == 0


def test_the_anchor_is_taken_at_every_kth_step_only():
    class Fixed(Diffusion):
        def draw_steps(self, n, generator=None):
            return torch.full((n,), self.step)

    mask = torch.from_numpy(discs(4)[1][:, None] / np.float32(255))
    network = Oracle(mask)
    losses = []
    for step in (500, 501):
        process = Fixed(predicts="mask")
        process.step = step
        wrong = anchored_diffusion_loss(process, anchor_every=5)
        network.forward = lambda noisy, t, image: (Oracle(mask)(noisy, t, image)[0], 2 - 4 * mask)
        torch.manual_seed(0)
        losses.append(wrong(network, mask, mask).item())
    assert losses[0] > 5 > 0.1 > losses[1]
