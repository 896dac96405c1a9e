"""Every text of the mask editor, in English, Russian and Chinese."""

_ENGLISH = {
    "title": "XSeg editor",
    "loading": "Loading",
    "labeled": "labeled",
    "red": "Poly color scheme red",
    "green": "Poly color scheme green",
    "blue": "Poly color scheme blue",
    "baked": "View baked mask",
    "xseg": "View trained XSeg mask",
    "overlay": "View trained XSeg mask overlay face",
    "include": "Poly include mode",
    "exclude": "Poly exclude mode",
    "undo": "Undo point",
    "redo": "Redo point",
    "delete": "Delete poly",
    "points": "Add/delete point mode ( HOLD CTRL )",
    "lock": "Lock cursor at the center ( HOLD SHIFT )",
    "previous": "Save and Prev image\nHold SHIFT : accelerate\nHold CTRL : skip non masked",
    "next": "Save and Next image\nHold SHIFT : accelerate\nHold CTRL : skip non masked",
    "trash": "Move to _trash and Next image",
    "hot key": "hot key",
    "copy name": "Click copies the name",
    "copied": "Copied: {}",
    "gone": "{} is gone; what was drawn on it could not be saved.",
    "not saved": "Not saved: {}",
    "cannot open": "Left out: {}",
    "no mask": "This face has no applied mask.",
    "only excludes": "{}: its labels only exclude, so its mask is empty. Draw an include area around (Q, or G for the applied mask).",
    "close anyway": "The labels of this image could not be saved.\n\n{}\n\nClose and lose them?",
    "queue": "queue",
}

_RUSSIAN = {
    "title": "Редактор XSeg",
    "loading": "Загрузка",
    "labeled": "размечено",
    "red": "Красные контуры",
    "green": "Зелёные контуры",
    "blue": "Синие контуры",
    "baked": "Показать маску из разметки",
    "xseg": "Показать обученную маску XSeg",
    "overlay": "Наложить обученную маску XSeg на лицо",
    "include": "Режим включения",
    "exclude": "Режим исключения",
    "undo": "Отменить точку",
    "redo": "Вернуть точку",
    "delete": "Удалить контур",
    "points": "Добавлять и удалять точки ( ДЕРЖАТЬ CTRL )",
    "lock": "Держать курсор в центре ( ДЕРЖАТЬ SHIFT )",
    "previous": "Сохранить и назад\nДержать SHIFT : быстрее\nДержать CTRL : только размеченные",
    "next": "Сохранить и вперёд\nДержать SHIFT : быстрее\nДержать CTRL : только размеченные",
    "trash": "Переместить в _trash и вперёд",
    "hot key": "клавиша",
    "copy name": "Щелчок копирует имя",
    "copied": "Скопировано: {}",
    "gone": "Файла {} больше нет; разметка не сохранена.",
    "not saved": "Не сохранено: {}",
    "cannot open": "Пропущено: {}",
    "no mask": "У этого лица нет наложенной маски.",
    "only excludes": "{}: разметка только исключает, маска пуста. Обведите лицо в режиме включения (Q, или G по маске).",
    "close anyway": "Разметку этого изображения не удалось сохранить.\n\n{}\n\nЗакрыть и потерять её?",
    "queue": "очередь",
}

_CHINESE = {
    "title": "XSeg 编辑器",
    "loading": "正在载入",
    "labeled": "已标注",
    "red": "红色轮廓",
    "green": "绿色轮廓",
    "blue": "蓝色轮廓",
    "baked": "查看标注生成的遮罩",
    "xseg": "查看训练得到的 XSeg 遮罩",
    "overlay": "将训练得到的 XSeg 遮罩叠加到人脸",
    "include": "包含模式",
    "exclude": "排除模式",
    "undo": "撤销点",
    "redo": "重做点",
    "delete": "删除多边形",
    "points": "添加/删除点 ( 按住 CTRL )",
    "lock": "将光标锁定在中心 ( 按住 SHIFT )",
    "previous": "保存并转到上一张\n按住 SHIFT : 加速\n按住 CTRL : 只看已标注",
    "next": "保存并转到下一张\n按住 SHIFT : 加速\n按住 CTRL : 只看已标注",
    "trash": "移到 _trash 并转到下一张",
    "hot key": "快捷键",
    "copy name": "单击复制文件名",
    "copied": "已复制: {}",
    "gone": "{} 已不存在，其标注未能保存。",
    "not saved": "未保存: {}",
    "cannot open": "已跳过: {}",
    "no mask": "此人脸没有已应用的遮罩。",
    "only excludes": "{}: 标注只有排除区域，遮罩为空。请用包含模式圈出人脸（Q，或按 G 使用已应用的遮罩）。",
    "close anyway": "此图像的标注未能保存。\n\n{}\n\n仍然关闭并丢弃标注？",
    "queue": "队列",
}

_LANGUAGES = {"en": _ENGLISH, "ru": _RUSSIAN, "zh": _CHINESE}
_state = {"texts": _ENGLISH}


def set_language(locale_name: str) -> None:
    """Choose by the first two letters of a locale such as ``ru_RU``; unknown ones mean English."""
    _state["texts"] = _LANGUAGES.get(locale_name[:2].lower(), _ENGLISH)


def text(key: str) -> str:
    """Text in the chosen language."""
    return _state["texts"][key]


def tool_tip(key: str, hot_key: str | None = None) -> str:
    """Tip of a control, with its key."""
    return text(key) if hot_key is None else f"{text(key)} ( {text('hot key')}: {hot_key} )"
