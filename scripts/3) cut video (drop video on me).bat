@echo off
setlocal EnableExtensions DisableDelayedExpansion
rem 3) cut video (drop video on me) (written by make_launchers.py)
set "ERRORLEVEL="
set DFL_EXIT=2
if "%~1"=="" echo Drop a video on this file.
if "%~1"=="" goto end
if not exist "%~1" echo "%~1" is not there. Windows hands on a name with "&" but no blank in part only: rename it.
if not exist "%~1" goto end
set DFL_EXIT=1
set "DFL_SCRIPTS=%~dp0"
set "DFL_CALL=%%DFL_SCRIPTS%%env.bat"
call "%DFL_CALL%"
if errorlevel 1 goto end
"%DFL_PYTHON_EXE%" %DFL_VIA% "%DFL_ROOT%\main.py" videoed cut-video --input-file %*
set DFL_EXIT=%ERRORLEVEL%
:end
if not defined DFL_NO_PAUSE pause
exit /b %DFL_EXIT%
