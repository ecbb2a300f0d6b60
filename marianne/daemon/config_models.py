"""The validating models of a configuration's sections, made of their declarations.

Imported only where a value is to be checked, printed or described: most conductors run on the
defaults. Values are strict: ``yes`` is no number and ``"15"`` is none either.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    create_model,
    model_validator,
)

from marianne.daemon.config_setting import Section


def _expanded(path: Path) -> Path:
    path = path.expanduser()
    if not path.is_absolute():
        raise ValueError("must be an absolute path, or begin with '~/'")
    return path


def _octal(value: Any) -> Any:
    """``0o600`` is text in YAML 1.1, where only ``0600`` is octal."""
    if isinstance(value, str):
        try:
            return int(value, 8)
        except ValueError:
            raise ValueError("must be an octal number such as 0o600") from None
    return value


_TYPES = {
    "Mode": Annotated[
        int,
        BeforeValidator(_octal),
        # Written as it is read: nobody knows 384.
        PlainSerializer(oct, when_used="json"),
        Field(json_schema_extra={"type": ["integer", "string"]}),
    ],
    "Place": Annotated[Path, Field(strict=False), AfterValidator(_expanded)],
    "Seconds": Annotated[float, Field(allow_inf_nan=False)],
}
"""What the declarations' own type names stand for."""


_models: dict[type[Section], type[BaseModel]] = {}
_sections: dict[type[BaseModel], type[Section]] = {}


def model_of(section: type[Section]) -> type[BaseModel]:
    """The model that checks this section: no unknown keys, strict values."""
    if section not in _models:
        _models[section] = _made(section)
        _sections[_models[section]] = section
    return _models[section]


def checked(section: type[Section], values: Any) -> dict[str, Any]:
    """A value for every field of this section. Raises pydantic's ``ValidationError``.

    ``values``: by name, those of inner sections as maps or as sections.
    """
    return dict(vars(_sectioned(model_of(section).model_validate(_mapped(values)))))


def to_json(section: Section) -> dict[str, Any]:
    """The section as JSON knows it: paths and modes are text."""
    return model_of(type(section)).model_validate(_mapped(section)).model_dump(mode="json")


def _made(section: type[Section]) -> type[BaseModel]:
    hints = get_type_hints(section, localns=_TYPES, include_extras=True)
    fields: dict[str, Any] = {}
    for name, field in section.settings.items():
        kind = _modelled(hints[name])
        if field.section:
            field_info = Field(default_factory=kind)
        elif field.factory:
            field_info = Field(default_factory=field.factory, **field.told)
        else:
            field_info = Field(field.default, **field.told)
        fields[name] = (kind, field_info)

    def rule(model: Any) -> Any:
        section.check(model)
        return model

    rules: dict[str, Any] = {"check": model_validator(mode="after")(rule)}
    return create_model(
        section.__name__,
        __doc__=section.__doc__,
        __config__=ConfigDict(extra="forbid", strict=True),
        __validators__=rules,
        **fields,
    )


def _modelled(kind: Any) -> Any:
    """The annotation with models in the place of sections."""
    if isinstance(kind, type) and issubclass(kind, Section):
        return model_of(kind)
    if get_origin(kind) in (dict, list):
        return get_origin(kind)[tuple(_modelled(part) for part in get_args(kind))]
    return kind


def _sectioned(value: Any) -> Any:
    """The value with sections in the place of models."""
    if isinstance(value, BaseModel):
        inner = {name: _sectioned(getattr(value, name)) for name in type(value).model_fields}
        return _sections[type(value)].of(inner)
    return _within(value, _sectioned)


def _mapped(value: Any) -> Any:
    """The value with maps in the place of sections."""
    return _within(vars(value) if isinstance(value, Section) else value, _mapped)


def _within(value: Any, change: Callable[[Any], Any]) -> Any:
    if isinstance(value, dict):
        return {key: change(item) for key, item in value.items()}
    if isinstance(value, list):
        return [change(item) for item in value]
    return value
