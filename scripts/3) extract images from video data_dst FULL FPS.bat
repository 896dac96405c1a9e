@echo off
setlocal EnableExtensions DisableDelayedExpansion
rem 3) extract images from video data_dst FULL FPS (written by make_launchers.py)
set "ERRORLEVEL="
set DFL_EXIT=1
set "DFL_SCRIPTS=%~dp0"
set "DFL_CALL=%%DFL_SCRIPTS%%env.bat"
call "%DFL_CALL%"
if errorlevel 1 goto end
"%DFL_PYTHON_EXE%" %DFL_VIA% "%DFL_ROOT%\main.py" videoed extract-video --input-file "%DFL_WORKSPACE%\data_dst.*" --output-dir "%DFL_WORKSPACE%\data_dst" --fps 0 %*
set DFL_EXIT=%ERRORLEVEL%
:end
if not defined DFL_NO_PAUSE pause
exit /b %DFL_EXIT%
