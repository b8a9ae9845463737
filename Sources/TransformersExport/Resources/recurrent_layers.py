"""What transformers and engines read of a configuration about the layers that are executed."""


def stated(name, told):
    """A field that follows from the specs; what the file states for `ckpt` is kept, and saved."""

    def get(config):
        return told(config)

    def put(config, value):
        config.__dict__[name] = value

    return property(get, put)


class ExecutedLayers:
    """Fields for a program that counts and numbers layers: it meets every execution of a block at
    `mean_recurrence` as a layer of its own, with keys and values of its own."""

    def executed_specs(self):
        """The specs of the blocks, in the order in which they are executed."""
        passes = {"prelude": 1, "core": self.mean_recurrence, "coda": 1}
        return [spec for group, n in passes.items() for spec in self.specs_of(group) * n]

    @property
    def num_hidden_layers(self):
        """p + c · r + d, with r the configuration's `mean_recurrence`.

        It is not saved: beside a `layer_types` of the stored blocks, transformers, where it reads the
        file without this code, takes it for an error.
        """
        specs = self.block_specs
        core = len(specs["core"]) * self.mean_recurrence
        return len(specs["prelude"]) + core + len(specs["coda"])

    @num_hidden_layers.setter
    def num_hidden_layers(self, number):
        if number not in (None, self.num_hidden_layers):
            raise ValueError(
                f"num_hidden_layers is {number}, but {self.num_hidden_layers} layers are executed at "
                f"mean_recurrence {self.mean_recurrence}, which is the field that sets r"
            )

    def windows(self):
        """The different windows of the blocks, None among them where a block sees all."""
        return {spec["attention"]["window"] for spec in self.block_specs["distinct"]}

    def only(self, name):
        """The value of a member of attention that all blocks share."""
        found = {spec["attention"][name] for spec in self.block_specs["distinct"]}
        if len(found) > 1:
            raise ValueError(f"blocks differ in {name}: {sorted(map(str, found))}")
        return found.pop()

    layer_types = stated(
        "layer_types",
        lambda config: [
            "full_attention" if spec["attention"]["window"] is None else "sliding_attention"
            for spec in config.executed_specs()
        ],
    )
    sliding_window = stated(
        "sliding_window",
        lambda config: max((x for x in config.windows() if x is not None), default=None),
    )
    attn_logit_softcapping = stated(
        "attn_logit_softcapping", lambda config: config.only("softcap")
    )
    final_logit_softcapping = stated(
        "final_logit_softcapping", lambda config: config.block_specs["model"]["logit_softcap"]
    )
    logit_scale = stated(
        "logit_scale", lambda config: 1 / config.block_specs["model"]["logits_divisor"]
    )
