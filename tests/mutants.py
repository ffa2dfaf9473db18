"""Small, sensible faults, put into the package one at a time: the tests must notice. Run with ``make mutants``.

A mutant is one replacement in one module of a copy of the package. It survives when the tests of its group still pass.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ALLOWED = 2  # survivors


@dataclass(frozen=True)
class Mutant:
    """One fault."""

    module: str
    old: str
    new: str
    why_it_may_survive: str = ""


FUSION = ("tests/test_taught_code.py", "tests/mmbook/fusion/test_fusion.py")
TESTS = {
    "fusion": FUSION,
    "training": ("tests/mmbook/test_training.py",),
    "many_seeds": ("tests/mmbook/test_many_seeds.py",),
    "many_settings": ("tests/mmbook/test_many_settings.py",),
    "statistics": ("tests/mmbook/test_statistics.py", "tests/mmbook/test_claims.py"),
    "claims": ("tests/mmbook/test_claims.py",),
    "calibration": ("tests/mmbook/test_calibration.py",),
    "threads": ("tests/mmbook/test_threads.py",),
}
MUTANTS = (
    Mutant("fusion/attention.py", "/ queries.shape[-1] ** 0.5", ""),
    Mutant("fusion/attention.py", "weights @ values, weights", "scores @ values, weights"),
    Mutant("fusion/attention.py", "masked_fill(~mask", "masked_fill(mask"),
    Mutant("fusion/attention.py", "scores.softmax(dim=-1)", "scores.softmax(dim=-2)"),
    Mutant("fusion/attention.py", "mean_tokens(self.residual(queries) + answers,", "mean_tokens(answers,"),
    Mutant("fusion/attention.py", "masks.get(self.query_name))", "None)"),
    Mutant(
        "fusion/attention.py", "found[self.context_name], masks.get(self.context_name))", "found[self.context_name])"
    ),
    Mutant("fusion/attention.py", "real.sum(dim=1).clamp(min=1)", "tokens.shape[1]"),
    Mutant("fusion/attention.py", "self.out(found", "(found"),
    Mutant("fusion/bottleneck.py", "torch.cat([shared, own], dim=1)", "torch.cat([shared, *tokens.values()], dim=1)"),
    Mutant("fusion/bottleneck.py", "torch.stack(seen).mean(dim=0)", "torch.stack(seen).sum(dim=0)"),
    Mutant("fusion/bottleneck.py", "torch.stack(seen).mean(dim=0)", "seen[-1]"),
    Mutant("fusion/bottleneck.py", "shared.mean(dim=1)", "torch.cat(list(tokens.values()), dim=1).mean(dim=1)"),
    Mutant("fusion/bottleneck.py", "src_key_padding_mask=padding.get(name)", "src_key_padding_mask=None"),
    Mutant("fusion/bottleneck.py", "tokens[name] = together[:, width:]", "pass"),
    Mutant("fusion/latents.py", "latents + read(", "read("),
    Mutant("fusion/latents.py", "context, mask)[0]", "context)[0]"),
    Mutant("fusion/latents.py", "+ self.kind[name]", ""),
    Mutant("fusion/latents.py", "self.token_norm(torch.cat(tokens, dim=1))", "torch.cat(tokens, dim=1)"),
    Mutant("fusion/concatenation.py", "torch.relu(self.joint(joined))", "self.joint(joined)"),
    Mutant("fusion/gated.py", "torch.tanh(self.values[name](x))", "self.values[name](x)"),
    Mutant("fusion/gated.py", "torch.sigmoid(self.gates[name](joined))", "torch.tanh(self.gates[name](joined))"),
    Mutant("fusion/film.py", "(1 + gamma) * features", "gamma * features"),
    Mutant("fusion/film.py", "features + beta", "features"),
    Mutant("fusion/tensor.py", "torch.ones_like(x[..., :1])", "torch.zeros_like(x[..., :1])"),
    Mutant("fusion/low_rank.py", "product.sum(dim=1) + self.bias", "product.mean(dim=1) + self.bias"),
    Mutant("fusion/low_rank.py", "product.to(x) * torch.einsum", "product.to(x) + torch.einsum"),
    Mutant("fusion/low_rank.py", "(u * s.unsqueeze(1))", "u"),
    Mutant(
        "fusion/late.py", "self.stacked(logits).softmax(dim=-1).mean(dim=0).log()", "self.stacked(logits).mean(dim=0)"
    ),
    Mutant("fusion/late.py", "return self.stacked(logits).mean(dim=0)\n", "return self.stacked(logits).sum(dim=0)\n"),
    Mutant("fusion/late.py", "(len(members) - 1) * self.log_prior", "len(members) * self.log_prior"),
    Mutant(
        "fusion/late.py",
        "self.stacked(logits).log_softmax(dim=-1)",
        "self.stacked(logits)",
        "it adds one number to all classes of an item, which changes no probability and no decision",
    ),
    Mutant("fusion/late.py", "members.softmax(dim=-1).mean(dim=0) / 2", "members.softmax(dim=-1).mean(dim=0) * 2"),
    Mutant(
        "fusion/base.py", "return {name: inputs[name] for name in self.dims if name in given}", "return dict(inputs)"
    ),
    Mutant(
        "fusion/model.py", "self.fusion(features, masks) if masks else self.fusion(features)", "self.fusion(features)"
    ),
    Mutant("training.py", "        model.train()\n", "        model.eval()\n"),
    Mutant("training.py", "torch.randperm(len(target)).split", "torch.arange(len(target)).split"),
    Mutant("training.py", "epoch - history.best >= patience", "epoch - history.best >= patience + 3"),
    Mutant("training.py", "        model.load_state_dict(best_state)\n", "        pass\n"),
    Mutant("training.py", "history.validation_loss[-1] < best_loss", "history.validation_loss[-1] > best_loss"),
    Mutant("training.py", "weight_decay=weight_decay, ", ""),
    Mutant("training.py", "v[order] if k == modality else v", "v[order]"),
    Mutant("training.py", "    use_threads()\n    model.eval()\n", "    use_threads()\n"),
    Mutant("training.py", "optimizer.zero_grad()", "pass"),
    Mutant("many_seeds.py", "        self.module.train()\n", "        self.module.eval()\n"),
    Mutant("many_seeds.py", "self.kept[name][better] = values", "self.kept[name][:] = values"),
    Mutant("many_seeds.py", "worse = 0 if better else worse + 1", "worse = 0"),
    Mutant("many_seeds.py", "return [min(of_seed", "return [max(of_seed"),
    Mutant("many_settings.py", "better[:, on] = found < best[:, on]", "better[:, on] = True"),
    Mutant("many_settings.py", "return self.best.argmin(dim=1)", "return self.best.argmax(dim=1)"),
    Mutant("many_settings.py", "on = [k for k in on if fell[k]]", "on = on if fell.any() else []"),
    Mutant("statistics.py", "array.std(ddof=1)", "array.std()"),
    Mutant("statistics.py", "np.sqrt(1 / len(array) + test_to_train)", "np.sqrt(1 / len(array))"),
    Mutant("statistics.py", "len(array) - 1, mean", "len(array), mean"),
    Mutant("statistics.py", "paired=True", "paired=False"),
    Mutant("claims.py", "worst.low >= at_least", "worst.mean >= at_least"),
    Mutant("claims.py", "key=lambda s: s.low", "key=lambda s: s.mean"),
    Mutant("claims.py", "found.low >= at_least, words", "found.mean >= at_least, words"),
    Mutant("claims.py", "-within <= found.low and found.high <= within", "-within <= found.low"),
    Mutant("claims.py", "np.subtract(high, low)", "np.subtract(low, high)"),
    Mutant("claims.py", "100 * value:.1f", "value:.1f"),
    Mutant("calibration.py", "place.unique()", "place.unique()[:1]"),
    Mutant("calibration.py", "scores / log_temperature.exp()", "scores * log_temperature.exp()"),
    Mutant("threads.py", "torch.set_num_threads(int(text))", "pass"),
)


def survives(mutant: Mutant) -> bool:
    """Whether the tests pass on a copy of the package with this fault."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        shutil.copytree(ROOT / "mmbook", Path(folder) / "mmbook", ignore=shutil.ignore_patterns("__pycache__"))
        path = Path(folder) / "mmbook" / mutant.module
        text = path.read_text(encoding="utf-8")
        if mutant.old not in text:
            sys.exit(f"mutants: {mutant.module} has no {mutant.old!r} any more; bring tests/mutants.py up to date")
        path.write_text(text.replace(mutant.old, mutant.new, 1), encoding="utf-8")
        group = mutant.module.removesuffix(".py").split("/")[0]
        command = [sys.executable, "-P", "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *TESTS[group]]
        environment = {**os.environ, "PYTHONPATH": folder, "MMBOOK_QUIET": "1", "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        if done.returncode not in (0, 1):
            sys.exit(f"mutants: the tests did not run:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        return done.returncode == 0


def main() -> int:
    """Try every mutant; 1 when more survive than are allowed or one survives without a reason."""
    survivors = []
    for mutant in MUTANTS:
        lives = survives(mutant)
        print(f"{'SURVIVES' if lives else 'noticed '} {mutant.module}: {mutant.old.strip()} -> {mutant.new.strip()}")
        survivors += [mutant] if lives else []
    print(f"{len(MUTANTS)} mutants, {len(survivors)} survive")
    for mutant in survivors:
        print(f"  {mutant.module}: {mutant.why_it_may_survive or 'no reason is known: write a test'}")
    return 1 if len(survivors) > ALLOWED or any(not m.why_it_may_survive for m in survivors) else 0


if __name__ == "__main__":
    sys.exit(main())
